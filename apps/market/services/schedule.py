"""Asks for the imports of venues' lists that are due."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from apps.core.actor import Actor, system_actor
from apps.core.errors import DomainError
from apps.core.models import ReadOnlySwitch
from apps.core.scope import system_scope, write_scope
from apps.jobs.services import enqueue
from apps.market.models import ListingImport
from apps.market.types import IMPORT_LISTINGS
from apps.providers import registry
from apps.providers.enums import Capability, ConnectionStatus
from apps.providers.models import Connection
from apps.tenants.enums import TenantStatus
from apps.tenants.models import Tenant

logger = logging.getLogger(__name__)

INTERVAL = timedelta(days=1)
# An import that was asked for and has not finished by then is asked for again, of whichever connection does best.
RETRY = timedelta(minutes=10)


def request_import(*, connection: Connection, actor: Actor, now: datetime) -> bool:
    """Ask for an import of the connection's venue if one is due; of all who ask at once, one does.

    Call it outside of any scope. Returns whether it was asked for.

    Raises:
        ReadOnly: the tenant or the installation is switched to read-only.
    """
    venue = connection.provider
    if not _is_due(venue, now):
        return False
    with transaction.atomic():
        ListingImport.objects.bulk_create([ListingImport(venue=venue)], ignore_conflicts=True)
        if not ListingImport.objects.filter(_due(now), venue=venue).update(requested_at=now):
            return False
        payload = {"connection_id": str(connection.id), "venue": venue}
        with write_scope(actor):
            enqueue(kind=IMPORT_LISTINGS, payload=payload, actor=actor, now=now, unique_key=venue)
    return True


def request_due_imports(*, now: datetime) -> int:
    """Ask for an import of every venue that is due and has a connection to ask with; return how many."""
    return sum(_request(venue, now) for venue in sorted(registry.providers_with(Capability.BROKERAGE)))


def _is_due(venue: str, now: datetime) -> bool:
    row = ListingImport.objects.filter(venue=venue)
    return not row.exists() or row.filter(_due(now)).exists()


def _due(now: datetime) -> Q:
    never_asked, never_finished = Q(requested_at__isnull=True), Q(finished_at__isnull=True)
    return (never_asked | Q(requested_at__lte=now - RETRY)) & (never_finished | Q(finished_at__lte=now - INTERVAL))


def _request(venue: str, now: datetime) -> bool:
    if not _is_due(venue, now):
        return False
    connection = _best_connection(venue)
    if connection is None:
        return False
    actor = system_actor("scheduler", tenant_id=connection.tenant_id)
    try:
        return request_import(connection=connection, actor=actor, now=now)
    except DomainError as error:  # switched to read-only in between: the next look takes another
        logger.warning("market.import_not_requested", extra={"venue": venue, "code": error.code})
        return False


def _best_connection(venue: str) -> Connection | None:
    """Return an active connection to the venue that has worked before, whoever's it is."""
    with system_scope():
        switches = ReadOnlySwitch.objects.all()
        if switches.filter(tenant_id__isnull=True).exists():
            return None
        return (
            Connection.objects.live()
            .filter(provider=venue, status=ConnectionStatus.ACTIVE, last_synced_at__isnull=False)
            .exclude(tenant_id__in=switches.values("tenant_id"))
            .filter(tenant_id__in=Tenant.objects.filter(status=TenantStatus.ACTIVE).values("id"))
            .order_by("consecutive_failures", "-last_synced_at")
            .first()
        )
