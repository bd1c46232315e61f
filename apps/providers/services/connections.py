"""Connections: made and taken down."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.errors import ValidationFailed
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.incidents import services as incidents
from apps.outbox import services as outbox
from apps.providers import events, registry
from apps.providers.credentials import check_credentials, seal
from apps.providers.enums import ConnectionStatus, SyncTrigger
from apps.providers.errors import ProviderUnavailable
from apps.providers.models import Connection, Credentials
from apps.providers.needs import end_dependents, require_unneeded
from apps.providers.protocols import AdapterSpec
from apps.providers.services.locking import active_run, close_run, disconnected, lock_connection
from apps.providers.services.recording import record
from apps.providers.services.runs import INCIDENT_KIND, request_sync, schedule_next
from apps.tenants.enums import Meter
from apps.tenants.services import require_room

_TRIGGERS = {
    "staff": SyncTrigger.STAFF,
    "user": SyncTrigger.API,
    "api_key": SyncTrigger.API,
    "system": SyncTrigger.SCHEDULE,
}


def create_connection(
    *, provider: str, credentials: Mapping[str, Any], label: str, actor: Actor, now: datetime
) -> Connection:
    """Store a connection and ask for its first sync, which is what tries the credentials at the provider.

    The same enrolment may be connected more than once: each connection has accounts of its own.

    Raises:
        ValidationFailed: the provider is not known, or the credentials do not have the form that it asks for.
        ProviderUnavailable: its adapter is switched off.
        LimitReached: the tenant has as many as its plan allows.
    """
    spec = _find_spec(provider)
    checked = check_credentials(spec, credentials)
    with write_scope(actor):
        require_room(Meter.CONNECTIONS, now=now)
        connection = _insert(spec, checked, label, actor, now)
        changes = {"provider": [None, spec.name], "label": [None, label], "status": [None, connection.status]}
        record(events.CONNECTION_CREATED, connection.id, changes, actor, now)
        outbox.emit(events.connection_created(connection), actor=actor, now=now)
        request_sync(connection_id=connection.id, trigger=_TRIGGERS[actor.kind], actor=actor, now=now)
        connection.refresh_from_db()
        return connection


def delete_connection(
    *, connection_id: UUID, actor: Actor, now: datetime, expected_version: int | None = None
) -> Connection:
    """Disable a connection for good and destroy its credentials; its accounts are closed, their transactions stay.

    A connection that is disabled already is left as it is.

    Raises:
        NotFound, VersionConflict.
        ConnectionInUse: orders that it carries are still open.
    """
    with write_scope(actor):
        connection = lock_connection(connection_id, expected_version=expected_version)
        if connection.is_disabled:
            return connection
        # Accounts before what orders stand on: everybody locks them so, and what the checks refuse is rolled back.
        end_dependents(connection, actor=actor, now=now)
        require_unneeded(connection)
        before = connection.status
        _disable(connection, now)
        Credentials.objects.filter(connection=connection).delete()
        running = active_run(connection)
        if running is not None:
            close_run(running, disconnected(), now=now)
        incidents.resolve_incident(kind=INCIDENT_KIND, key=str(connection.id), actor=actor, now=now)
        record(events.CONNECTION_DELETED, connection.id, {"status": [before, connection.status]}, actor, now)
        outbox.emit(events.connection_deleted(connection), actor=actor, now=now)
        return connection


def _find_spec(provider: str) -> AdapterSpec:
    registration = registry.find(provider)
    if registration is None:
        message = _("There is no provider of this name.")
        raise ValidationFailed(errors=[{"field": "provider", "code": "unknown_provider", "message": message}])
    if registration.spec is None:
        raise ProviderUnavailable(registration.reason)
    if not registry.SYNCHRONISED & registration.spec.capabilities:
        message = _("Connections to this provider cannot be synchronised.")
        raise ValidationFailed(errors=[{"field": "provider", "code": "not_synchronised", "message": message}])
    return registration.spec


def _insert(spec: AdapterSpec, credentials: dict[str, str], label: str, actor: Actor, now: datetime) -> Connection:
    assert actor.tenant_id is not None
    connection = Connection(
        id=new_id(),
        tenant_id=actor.tenant_id,
        provider=spec.name,
        label=label,
        external_id=spec.enrollment_of(credentials),
        created_at=now,
        updated_at=now,
    )
    schedule_next(connection, now=now)
    connection.save(force_insert=True)
    ciphertext, key_id = seal(credentials, tenant_id=actor.tenant_id, connection_id=connection.id)
    Credentials.objects.create(
        tenant_id=actor.tenant_id, connection=connection, ciphertext=ciphertext, key_id=key_id, created_at=now
    )
    return connection


def _disable(connection: Connection, now: datetime) -> None:
    connection.status, connection.status_code, connection.status_message = ConnectionStatus.DISABLED, "", ""
    connection.deleted_at, connection.next_sync_at = now, None
    connection.save_next("status", "status_code", "status_message", "deleted_at", "next_sync_at", now=now)
