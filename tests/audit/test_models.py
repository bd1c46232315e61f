"""The audit log cannot be rewritten: not by any role, not by the owner of the table."""

from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEntry
from apps.core.ids import new_id
from apps.core.scope import staff_scope, system_scope, tenant_scope
from tests.factories.audit import make_entry

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
REWRITES = [
    "UPDATE audit_entry SET action = 'order.canceled'",
    "UPDATE audit_entry SET leaf_hash = ''",
    "UPDATE audit_entry SET sequence = 1, position = 9",
    "DELETE FROM audit_entry",
    "TRUNCATE audit_entry",
]
INSERT = (
    "INSERT INTO audit_entry (id, tenant_id, action, actor, target_type, target_id, changes, personal, request_id, "
    "traceparent, at, schema_version, leaf_hash, sequence) "
    "VALUES (%s, %s, 'order.submitted', '{}', 'order', '1', '{}', '{}', '', '', now(), 2, '', %s)"
)


def _run(sql: str, params: list[UUID | str | int | None] | None = None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_no_role_of_the_web_rewrites_the_log() -> None:
    entry = make_entry(ACME)
    for rewrite in REWRITES:
        for scope in (tenant_scope(ACME), staff_scope()):
            with scope, pytest.raises(DatabaseError, match="permission denied"):
                _run(rewrite)
    with tenant_scope(ACME):
        assert AuditEntry.objects.get() == entry


@pytest.mark.worker_login
def test_the_sequencer_rewrites_nothing() -> None:
    make_entry(ACME)
    for rewrite in REWRITES:
        with system_scope(), pytest.raises(DatabaseError, match="permission denied"):
            _run(rewrite)


@pytest.mark.commits
def test_the_owner_of_the_table_is_stopped_by_its_trigger(owner: psycopg.Connection) -> None:
    make_entry(ACME)
    for rewrite in REWRITES:
        with pytest.raises(psycopg.errors.RestrictViolation, match="audit_entry is append-only"):
            owner.execute(rewrite)


@pytest.mark.commits
def test_a_sequence_is_given_once(owner: psycopg.Connection) -> None:
    make_entry(ACME)
    owner.execute("UPDATE audit_entry SET sequence = 1")
    for other in ("2", "NULL"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(f"UPDATE audit_entry SET sequence = {other}")


@pytest.mark.commits
def test_two_entries_never_share_a_sequence(owner: psycopg.Connection) -> None:
    for tenant in (ACME, None):
        owner.execute(INSERT, [new_id(), tenant, 1])
        with pytest.raises(psycopg.errors.UniqueViolation, match="sequence"):
            owner.execute(INSERT, [new_id(), tenant, 1])
    owner.execute(INSERT, [new_id(), GLOBEX, 1])


def test_only_the_sequencer_gives_sequences() -> None:
    for scope, tenant in ((tenant_scope(ACME), ACME), (staff_scope(), None)):
        with scope, pytest.raises(DatabaseError, match="audit_entry_unsequenced"):
            _run(INSERT, [new_id(), tenant, 1])


def test_a_tenant_reads_and_writes_its_own_log_alone() -> None:
    mine = make_entry(ACME)
    theirs = make_entry(GLOBEX)
    with tenant_scope(ACME):
        assert list(AuditEntry.objects.all()) == [mine]
        for tenant in (GLOBEX, None):
            with pytest.raises(DatabaseError, match="row-level security"):
                _run(INSERT, [new_id(), tenant, None])
    with staff_scope():
        assert set(AuditEntry.objects.all()) == {mine, theirs}


def test_staff_writes_the_installations_log_alone() -> None:
    with staff_scope():
        _run(INSERT, [new_id(), None, None])
        with pytest.raises(DatabaseError, match="audit_entry_staff_writes"):
            _run(INSERT, [new_id(), ACME, None])


@pytest.mark.commits
def test_without_a_scope_nothing_can_be_read() -> None:
    make_entry(ACME)
    with pytest.raises(DatabaseError, match="permission denied"):
        AuditEntry.objects.count()
