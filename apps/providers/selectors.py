"""Reads of the providers room."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection as database_connection
from django.db.models import QuerySet

from apps.core.db.finding import get_one
from apps.providers import registry
from apps.providers.enums import BreakerState, ConnectionStatus
from apps.providers.models import Connection, SyncRun
from apps.providers.protocols import CredentialField, Limit
from apps.providers.transport.breaker import line_name, provider_breaker

_HOOK_CONNECTION = "SELECT tenant_id, external_id FROM providers_hook_connection(%s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookConnection:
    """The connection that a webhook names, before its tenant is known."""

    tenant_id: UUID
    connection_id: UUID
    external_id: str


def find_hook_connection(provider: str, connection_id: UUID) -> HookConnection | None:
    """Return the live connection of an active tenant that a webhook names; outside of any scope."""
    with database_connection.cursor() as cursor:
        cursor.execute(_HOOK_CONNECTION, [connection_id, provider])
        row = cursor.fetchone()
    return HookConnection(tenant_id=row[0], connection_id=connection_id, external_id=row[1]) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """What the breaker says: `up`, `down` (calls are held back until `retry_at`), `recovering`, or `unknown`."""

    status: str
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider as clients and staff see it."""

    name: str
    title: str
    status: str  # available or disabled
    reason: str
    capabilities: tuple[str, ...]
    limits: tuple[Limit, ...]
    credential_fields: tuple[CredentialField, ...]
    health: ProviderHealth


def providers(*, now: datetime) -> list[Provider]:
    """Return every provider by name, disabled ones too."""
    return [_provider(entry, now) for _name, entry in sorted(registry.registrations().items())]


def connections_for(*, tenant_id: UUID, provider: str | None = None, status: str | None = None) -> QuerySet[Connection]:
    """Return the tenant's connections; deleted ones only when asked for by status `disabled`."""
    rows = Connection.objects.filter(tenant_id=tenant_id)
    rows = rows.filter(status=status) if status else rows.exclude(status=ConnectionStatus.DISABLED)
    return rows.filter(provider=provider) if provider else rows


def get_connection(*, tenant_id: UUID, connection_id: UUID) -> Connection:
    """Return a connection, deleted or not: accounts and runs go on referring to it.

    Raises:
        NotFound: the tenant has none of this id.
    """
    return get_one(Connection.objects.filter(tenant_id=tenant_id, id=connection_id))


def runs_for(*, tenant_id: UUID, connection_id: UUID) -> QuerySet[SyncRun]:
    """Return a connection's runs."""
    return SyncRun.objects.filter(tenant_id=tenant_id, connection_id=connection_id)


def get_run(*, tenant_id: UUID, run_id: UUID) -> SyncRun:
    """Return a run.

    Raises:
        NotFound: the tenant has none of this id.
    """
    return get_one(SyncRun.objects.filter(tenant_id=tenant_id, id=run_id))


def _provider(entry: registry.Registration, now: datetime) -> Provider:
    spec = entry.spec
    return Provider(
        name=entry.name,
        title=spec.title if spec else entry.name,
        status="available" if spec else "disabled",
        reason=entry.reason,
        capabilities=tuple(sorted(str(item) for item in spec.capabilities)) if spec else (),
        limits=spec.limits if spec else (),
        credential_fields=spec.credentials if spec else (),
        health=_health(entry.name, spec.hosts, now) if spec else ProviderHealth(status="unknown"),
    )


def _health(name: str, hosts: Iterable[str], now: datetime) -> ProviderHealth:
    """Return the health of the provider's worst host."""
    looks = [provider_breaker(line_name(name, host)).look() for host in hosts]
    seen = [look for look in looks if look is not None]
    if len(seen) < len(looks):
        return ProviderHealth(status="unknown")
    waits = [seconds for state, seconds in seen if state is BreakerState.OPEN]
    if waits:
        return ProviderHealth(status="down", retry_at=now + timedelta(seconds=max(waits)))
    is_up = all(state is BreakerState.CLOSED for state, _seconds in seen)
    return ProviderHealth(status="up" if is_up else "recovering")
