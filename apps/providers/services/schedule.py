"""Asks for the syncs that are due."""

import logging
from datetime import datetime

from apps.core.actor import system_actor
from apps.core.errors import DomainError
from apps.core.models import ReadOnlySwitch
from apps.core.scope import system_scope
from apps.providers.enums import ConnectionStatus, SyncTrigger
from apps.providers.models import Connection
from apps.providers.services.runs import request_sync

logger = logging.getLogger(__name__)

BATCH = 200


def schedule_due_syncs(*, now: datetime) -> int:
    """Request a sync of up to 200 connections that are due, and return how many; several callers share the work.

    Tenants that are switched to read-only are left out; their connections stay due.
    """
    with system_scope():
        switches = ReadOnlySwitch.objects.all()
        if switches.filter(tenant_id__isnull=True).exists():
            return 0
        due = (
            Connection.objects.live()
            .exclude(status=ConnectionStatus.DISABLED)
            .exclude(tenant_id__in=switches.values("tenant_id"))
            .filter(next_sync_at__lte=now)
            .order_by("next_sync_at")
            .select_for_update(skip_locked=True)
        )
        return sum(_request(connection, now) for connection in due[:BATCH])


def _request(connection: Connection, now: datetime) -> bool:
    actor = system_actor("scheduler", tenant_id=connection.tenant_id)
    try:
        request_sync(connection_id=connection.id, trigger=SyncTrigger.SCHEDULE, actor=actor, now=now)
    except DomainError as error:  # switched to read-only in between, say: the others go on
        logger.warning("sync.not_scheduled", extra={"connection_id": str(connection.id), "code": error.code})
        return False
    return True
