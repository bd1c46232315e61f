"""Events cannot be rewritten, and a tenant sees its own alone."""

from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from apps.core.ids import new_id
from apps.core.scope import staff_scope, system_scope, tenant_scope
from apps.outbox.models import OutboxEvent
from tests.factories.outbox import make_event

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
REWRITES = [
    "UPDATE outbox_event SET data = '{}'",
    "UPDATE outbox_event SET sequence = 1, position = 9",
    "DELETE FROM outbox_event",
    "TRUNCATE outbox_event",
]
INSERT = (
    "INSERT INTO outbox_event (id, tenant_id, type, schema_version, entity_type, entity_id, data, actor, "
    "request_id, traceparent, occurred_at, sequence, relayed_at) "
    "VALUES (%s, %s, 'order.filled', 1, 'order', %s, '{}', '{}', '', '', now(), %s, %s)"
)


def _run(sql: str, params: list[UUID | str | int | None] | None = None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_no_role_of_the_web_rewrites_events() -> None:
    event = make_event(ACME)
    for rewrite in REWRITES:
        for scope in (tenant_scope(ACME), staff_scope()):
            with scope, pytest.raises(DatabaseError, match="permission denied"):
                _run(rewrite)
    with tenant_scope(ACME):
        assert OutboxEvent.objects.get() == event


@pytest.mark.worker_login
def test_the_relay_rewrites_nothing() -> None:
    make_event(ACME)
    for rewrite in REWRITES:
        with system_scope(), pytest.raises(DatabaseError, match="permission denied"):
            _run(rewrite)


@pytest.mark.commits
def test_the_owner_of_the_table_is_stopped_by_its_trigger(owner: psycopg.Connection) -> None:
    make_event(ACME, data={"quantity": "10"})
    for rewrite in REWRITES:
        with pytest.raises(psycopg.errors.RestrictViolation, match="outbox_event is append-only"):
            owner.execute(rewrite)


@pytest.mark.commits
def test_sequence_and_relay_time_are_given_once(owner: psycopg.Connection) -> None:
    make_event(ACME)
    owner.execute("UPDATE outbox_event SET sequence = 1, relayed_at = '2026-03-02T12:00:00Z'")
    for change in ("sequence = 2", "sequence = NULL", "relayed_at = now()", "relayed_at = NULL"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(f"UPDATE outbox_event SET {change}")


def test_only_the_relay_gives_sequences() -> None:
    for sequence, relayed_at in ((1, None), (None, "2026-03-02T12:00:00Z")):
        with tenant_scope(ACME), pytest.raises(DatabaseError, match="outbox_event_pending"):
            _run(INSERT, [new_id(), ACME, new_id(), sequence, relayed_at])


def test_a_tenant_reads_and_writes_its_own_events_alone() -> None:
    mine = make_event(ACME)
    make_event(GLOBEX)
    with tenant_scope(ACME):
        assert list(OutboxEvent.objects.all()) == [mine]
        with pytest.raises(DatabaseError, match="row-level security"):
            _run(INSERT, [new_id(), GLOBEX, new_id(), None, None])


def test_staff_reads_events_and_writes_none() -> None:
    make_event(ACME)
    with staff_scope():
        assert OutboxEvent.objects.count() == 1
        with pytest.raises(DatabaseError, match="permission denied"):
            _run(INSERT, [new_id(), ACME, new_id(), None, None])


@pytest.mark.commits
def test_without_a_scope_nothing_can_be_read() -> None:
    make_event(ACME)
    with pytest.raises(DatabaseError, match="permission denied"):
        OutboxEvent.objects.count()
