"""Rows and statements as values: what is sent, what comes back, and how many waits it takes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connection

from apps.core import wake
from apps.core.actor import system_actor
from apps.core.db.statements import Statement, insert, run_in_one_trip, together
from apps.core.errors import ReadOnly
from apps.core.ids import new_id
from apps.core.scope import execute_last, tenant_scope, write_scope, write_scope_with
from apps.jobs.models import Job
from apps.outbox.models import OutboxEvent
from tests import databases

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TENANT = UUID("0198c5a0-0000-7000-8000-00000000000a")
ACTOR = system_actor("tests", tenant_id=TENANT)


def job(**values: object) -> Job:
    columns = {"kind": "test.note", "queue": "test", "run_at": NOW, "max_attempts": 3, "lease_seconds": 9}
    return Job(tenant_id=TENANT, created_at=NOW, **{**columns, **values})


def stored() -> list[Job]:
    with tenant_scope(TENANT):
        return list(Job.objects.filter(kind="test.note").order_by("id"))


def test_a_row_is_inserted_as_django_would():
    ours, djangos = job(payload={"n": [1, None, "ü"]}, actor=ACTOR.as_json()), job(payload={"n": [1, None, "ü"]})
    djangos.actor = ours.actor
    with write_scope(ACTOR):
        assert insert(ours).execute() == 1
        djangos.save(force_insert=True)
    rows = [{name: value for name, value in vars(row).items() if name not in ("id", "_state")} for row in stored()]
    assert rows[0] == rows[1]


def test_json_that_is_encoded_already_is_stored_as_it_is():
    with write_scope(ACTOR):
        insert(job(payload='{"a": 1}')).execute()
        insert(job(payload=b'{"a": 1}')).execute()
    assert [row.payload for row in stored()] == [{"a": 1}, {"a": 1}]


def test_what_the_database_fills_is_left_to_it():
    def event() -> OutboxEvent:
        columns = {"type": "order.filled", "entity_type": "order", "entity_id": new_id(), "data": {}, "actor": {}}
        return OutboxEvent(tenant_id=TENANT, occurred_at=NOW, **columns)

    with write_scope(ACTOR):
        together([insert(event())]).execute()
        together([insert(event())]).execute()
        first, second = OutboxEvent.objects.order_by("position")
    assert (first.position < second.position, first.sequence) == (True, None)


def test_several_statements_are_one():
    with write_scope(ACTOR):
        together([insert(job()), insert(job()), Statement("SELECT %s::int", [1])]).execute()
    assert len(stored()) == 2


def test_of_several_that_are_one_none_happens_when_one_fails():
    twice = new_id()
    with pytest.raises(IntegrityError), write_scope(ACTOR):
        together([insert(job()), insert(job(id=twice)), insert(job(id=twice))]).execute()
    assert stored() == []


def test_rows_come_back_in_the_order_of_the_statements():
    with write_scope(ACTOR):
        first, second, third = run_in_one_trip(
            [
                Statement("SELECT n, %s FROM generate_series(1, %s) AS n", ["a", 2]),
                Statement("SELECT 1 WHERE false"),
                Statement("SELECT %s::numeric, %s::uuid, %s::jsonb", ["1.50", TENANT, json.dumps({"a": 1})]),
            ]
        )
    assert (first, second) == ([(1, "a"), (2, "a")], [])
    assert [str(value) for value in third[0][:2]] == ["1.50", str(TENANT)]


def test_after_a_failure_the_others_do_not_run_and_the_connection_is_whole():
    with pytest.raises(IntegrityError), write_scope(ACTOR):
        run_in_one_trip([insert(job(max_attempts=None)), insert(job())])
    with write_scope(ACTOR):
        assert run_in_one_trip([Statement("SELECT 7")]) == [[(7,)]]
    assert stored() == []


@pytest.mark.commits
def test_a_scope_opens_with_its_first_statements_in_one_trip(tmp_path: Path):
    with tenant_scope(TENANT):
        pass  # the connection is there
    with (tmp_path / "wire").open("w+") as wire:
        connection.connection.pgconn.trace(wire.fileno())
        with write_scope_with(ACTOR, [Statement("SELECT %s::int", [1]), Statement("SELECT 2")]) as rows:
            execute_last(together([insert(job()), insert(job())]))
        connection.connection.pgconn.untrace()
        wire.seek(0)
        sent = [line.split()[4] for line in wire if line.split()[2] == "F"]
    assert rows == [[(1,)], [(2,)]]
    assert [word for word in sent if word in ("Query", "Sync")] == ["Sync", "Sync"]
    assert len(stored()) == 2


@pytest.mark.commits
def test_the_last_statement_commits(database: str):
    with write_scope(ACTOR), psycopg.connect(databases.url("owner", database)) as other:
        execute_last(insert(job()))
        row = other.execute("SELECT count(*) FROM jobs_job").fetchone()
        assert row == (1,)
    assert not connection.in_atomic_block


@pytest.mark.commits
def test_a_last_statement_that_fails_leaves_nothing():
    with pytest.raises(IntegrityError), write_scope(ACTOR):
        insert(job()).execute()
        execute_last(insert(job(max_attempts=None)))
    assert stored() == []


@pytest.mark.commits
def test_wakes_go_out_once_the_last_statement_has_committed(database: str):
    seen = []

    def look(topic: str) -> None:
        with psycopg.connect(databases.url("owner", database)) as other:
            seen.append((topic, other.execute("SELECT count(*) FROM jobs_job").fetchone()))

    wake.install(look)
    try:
        with write_scope(ACTOR) as scope:
            scope.wakes.add("jobs:test")
            execute_last(insert(job()))
    finally:
        wake.install(None)
    assert seen == [("jobs:test", (1,))]


def test_in_a_surrounding_transaction_the_last_statement_commits_nothing():
    with write_scope(ACTOR):
        execute_last(insert(job()))
        with write_scope(ACTOR):
            assert len(stored()) == 1, "and the scope goes on"


@pytest.mark.commits
def test_a_switch_that_is_engaged_refuses_whatever_the_first_statements_did(database: str):
    with databases.as_owner(database) as owner:
        owner.execute(
            "INSERT INTO core_readonlyswitch (id, tenant_id, reason, engaged_at) VALUES (%s, %s, 'closing', now())",
            [new_id(), TENANT],
        )
    note = insert(job())
    with (
        pytest.raises(ReadOnly, match="closing"),
        write_scope_with(ACTOR, [Statement(f"{note.sql} RETURNING id", note.params)]),
    ):
        raise AssertionError
    assert stored() == []


def test_first_statements_run_in_a_scope_that_is_open_already():
    with write_scope(ACTOR), write_scope_with(ACTOR, [Statement("SELECT 3")]) as rows:
        assert rows == [[(3,)]]
