"""Connections and runs for tests."""

from datetime import datetime
from typing import Any

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.scope import tenant_scope, write_scope
from apps.outbox.models import OutboxEvent
from apps.providers.enums import SyncTrigger
from apps.providers.models import Connection, InboundHook, RefusedHook, SyncRun
from apps.providers.services import create_connection, request_sync, start_run
from apps.providers.types import SyncFailure
from apps.tenants.models import Tenant

AWAY = SyncFailure(code="provider_unavailable", message="The provider is away.")
REFUSED = SyncFailure(code="credentials_refused", message="Connect again.", needs_attention=True, permanent=True)


def actor_of(tenant: Tenant) -> Actor:
    """Return an actor of the tenant."""
    return system_actor("tests", tenant_id=tenant.id)


def make_connection(
    tenant: Tenant, token: str = "test_tkn_first", *, label: str = "Bank", now: datetime | None = None, **more: Any
) -> Connection:
    """Connect to the sandbox's Teller; each token is an enrolment of its own. Its first sync is queued."""
    return create_connection(
        provider="teller",
        credentials={"access_token": token, **more},
        label=label,
        actor=actor_of(tenant),
        now=now or clock.now(),
    )


def make_running_run(connection: Connection, *, now: datetime | None = None) -> SyncRun:
    """Return the connection's active run, or a new one, started."""
    now = now or clock.now()
    actor = system_actor("tests", tenant_id=connection.tenant_id)
    run = request_sync(connection_id=connection.id, trigger=SyncTrigger.API, actor=actor, now=now)
    return start_run(run_id=run.id, attempt=1, actor=actor, now=now)


def read_connection(connection: Connection) -> Connection:
    """Return the connection as it is stored now."""
    with tenant_scope(connection.tenant_id):
        return Connection.objects.get(id=connection.id)


def read_run(run: SyncRun) -> SyncRun:
    """Return the run as it is stored now."""
    with tenant_scope(run.tenant_id):
        return SyncRun.objects.get(id=run.id)


def code_of(run: SyncRun) -> str:
    """Return the code of a run's error, or "" without one."""
    return run.error["code"] if run.error else ""


def leaves_of(connection: Connection) -> list[str]:
    """Return the audit actions about a connection, oldest first."""
    with tenant_scope(connection.tenant_id):
        rows = AuditEntry.objects.filter(target_type="connection", target_id=str(connection.id))
        return list(rows.order_by("position").values_list("action", flat=True))


def events_of(connection: Connection) -> list[str]:
    """Return the types of a connection's events, oldest first."""
    with tenant_scope(connection.tenant_id):
        rows = OutboxEvent.objects.filter(entity_id=connection.id)
        return list(rows.order_by("position").values_list("type", flat=True))


def make_hook(connection: Connection, *, event_id: str = "wh_1", now: datetime | None = None) -> InboundHook:
    """Store a webhook that was processed, with a secret in its body."""
    body = b'{"id":"%b","type":"webhook.test","payload":{"access_token":"test_tkn_hidden"}}' % event_id.encode()
    now = now or clock.now()
    with write_scope(system_actor("tests", tenant_id=connection.tenant_id)):
        return InboundHook.objects.create(
            tenant_id=connection.tenant_id,
            connection=connection,
            event_id=event_id,
            event_type="webhook.test",
            headers={"User-Agent": "Teller", "Teller-Signature": "t=1,v1=abcdef"},
            body=body,
            state="processed",
            outcome="nothing_to_do",
            received_at=now,
            processed_at=now,
        )


def make_refused_hook(
    connection: Connection, *, reason: str = "bad_signature", now: datetime | None = None
) -> RefusedHook:
    """Store what was refused twice."""
    now = now or clock.now()
    with write_scope(system_actor("tests", tenant_id=connection.tenant_id)):
        return RefusedHook.objects.create(
            tenant_id=connection.tenant_id,
            connection=connection,
            reason=reason,
            occurrences=2,
            sent_from="192.0.2.9",
            excerpt=b"rubbish \xff with test_tkn_hidden",
            first_seen_at=now,
            last_seen_at=now,
        )
