"""Asks for the syncs that are due."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from apps.core.actor import system_actor
from apps.core.errors import DomainError
from apps.core.models import ReadOnlySwitch
from apps.core.scope import system_scope, write_scope
from apps.providers.enums import ConnectionStatus, SyncTrigger
from apps.providers.models import Connection
from apps.providers.services.runs import request_sync
from apps.tenants.enums import TenantStatus
from apps.tenants.models import Tenant

logger = logging.getLogger(__name__)

BATCH = 200
# A connection that could not be scheduled makes room for those behind it.
SETBACK = timedelta(minutes=10)


def schedule_due_syncs(*, now: datetime) -> int:
    """Request a sync of up to 200 connections that are due, and return how many; several callers share the work.

    Each is requested in a transaction of its own, so that one that fails is put off and stops no other. Tenants that
    are suspended or switched to read-only are left out; their connections stay due.
    """
    return sum(_request(connection_id, tenant_id, now) for connection_id, tenant_id in _due(now))


def _due(now: datetime) -> list[tuple[UUID, UUID]]:
    """Return (connection, tenant) of those that are due, the longest first; nothing stays locked."""
    with system_scope():
        switches = ReadOnlySwitch.objects.all()
        if switches.filter(tenant_id__isnull=True).exists():
            return []
        due = (
            Connection.objects.live()
            .exclude(status=ConnectionStatus.DISABLED)
            .exclude(tenant_id__in=switches.values("tenant_id"))
            .filter(tenant_id__in=Tenant.objects.filter(status=TenantStatus.ACTIVE).values("id"))
            .filter(next_sync_at__lte=now)
            .order_by("next_sync_at")
            .values_list("id", "tenant_id")
        )
        return list(due[:BATCH])


def _request(connection_id: UUID, tenant_id: UUID, now: datetime) -> bool:
    """Request one sync, unless another scheduler has or is about to; return whether it was requested."""
    actor = system_actor("scheduler", tenant_id=tenant_id)
    try:
        with write_scope(actor):
            claim = Connection.objects.select_for_update(skip_locked=True)
            if claim.filter(id=connection_id, next_sync_at__lte=now).first() is None:
                return False
            request_sync(connection_id=connection_id, trigger=SyncTrigger.SCHEDULE, actor=actor, now=now)
    except DomainError as error:  # switched to read-only or deleted in between: the next look leaves it out
        logger.warning("sync.not_scheduled", extra={"connection_id": str(connection_id), "code": error.code})
        return False
    except Exception:  # whatever is wrong with this one, the others go on
        logger.exception("sync.not_scheduled", extra={"connection_id": str(connection_id)})
        _put_off(connection_id, now)
        return False
    return True


def _put_off(connection_id: UUID, now: datetime) -> None:
    with system_scope():
        Connection.objects.filter(id=connection_id, next_sync_at__lte=now).update(next_sync_at=now + SETBACK)
