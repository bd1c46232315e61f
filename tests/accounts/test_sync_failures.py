"""What a sync leaves behind when it fails: nothing, but a reason that people can read."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection as django_connection

from apps.accounts.models import Account, Transaction
from apps.accounts.services import annotate_transaction
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.jobs.runner import run_next, sweep
from apps.outbox.models import OutboxEvent
from apps.providers.models import Connection, SyncRun
from apps.providers.services import delete_connection, request_sync
from apps.providers.types import SYNC_CONNECTION
from tests import databases
from tests.accounts.bank import Bank, assert_equal, find_row
from tests.factories.accounts import make_connection, sync

pytestmark = pytest.mark.worker_login

LATER = timedelta(hours=2)


@pytest.fixture
def connection(acme, bank: Bank) -> Connection:
    """A connection that was never synced; its first run waits."""
    return make_connection(acme, bank.label)


def written(connection: Connection) -> tuple[int, int, int]:
    """Return how many accounts, transactions and batch leaves there are."""
    with tenant_scope(connection.tenant_id):
        leaves = AuditEntry.objects.filter(action="accounts.synced").count()
        return Account.objects.count(), Transaction.objects.count(), leaves


def reason_of(run: SyncRun) -> str:
    """Return the code of a run's error, which always comes with a message."""
    assert run.error is not None
    assert run.error["message"]
    return str(run.error["code"])


def job_of(run: SyncRun) -> Job:
    with tenant_scope(run.tenant_id):
        return Job.objects.get(id=run.job_id)


def run_again(run: SyncRun) -> SyncRun:
    """Run the job when its delay is over: each attempt hours after the one before."""
    assert run_next("sync", worker="tests", now=clock.now() + LATER * (run.attempt + 1))
    with tenant_scope(run.tenant_id):
        return SyncRun.objects.get(id=run.id)


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("status:502", "GET"),
        ("status:502", "/transactions"),
        ("malformed", "/transactions"),
        ("malformed", "/balances"),
        ("drop_response", "/accounts"),
        ("throttle", "/transactions"),
    ],
)
def test_failure_applies_nothing_and_the_retry_everything(
    connection: Connection, bank: Bank, kind: str, match: str
) -> None:
    bank.sandbox.fault(kind, rate=1, match=match)
    run = sync(connection)
    assert (run.status, run.attempt, run.finished_at) == ("queued", 1, None)
    assert reason_of(run)
    assert written(connection) == (0, 0, 0)
    assert job_of(run).state == "queued"
    bank.sandbox.clear_faults()
    run = run_again(run)
    assert (run.status, run.attempt, run.error) == ("succeeded", 2, None)
    assert_equal(bank, connection)


def test_failure_in_the_middle_of_a_later_sync_applies_nothing(connection: Connection, bank: Bank) -> None:
    sync(connection)
    before = written(connection)
    bank.add("-12.30")
    bank.add("-40.00", subtype="savings")
    bank.sandbox.fault("status:502", rate=1, match=f"/accounts/{bank.accounts()['savings']}/transactions")
    run = sync(connection)
    assert (run.status, written(connection)) == ("queued", before)
    bank.sandbox.clear_faults()
    run = run_again(run)
    assert (run.status, run.added) == ("succeeded", 2)
    assert_equal(bank, connection)


def test_failure_of_our_own_is_readable_and_applies_nothing(connection: Connection, bank: Bank, database: str) -> None:
    with databases.as_owner(database) as owner:
        owner.execute("ALTER TABLE audit_entry ADD CONSTRAINT broken CHECK (action <> 'accounts.synced')")
        run = sync(connection)
        assert (run.status, reason_of(run), written(connection)) == ("queued", "internal_error", (0, 0, 0))
        assert "broken" in job_of(run).last_traceback
        owner.execute("ALTER TABLE audit_entry DROP CONSTRAINT broken")
    assert run_again(run).status == "succeeded"
    assert_equal(bank, connection)


def test_single_lost_answer_is_asked_for_again(connection: Connection, bank: Bank) -> None:
    bank.sandbox.fault("drop_response", count=1, match="/transactions")
    run = sync(connection)
    assert (run.status, run.attempt) == ("succeeded", 1)
    assert_equal(bank, connection)


def test_disconnected_enrolment_waits_for_a_person(connection: Connection, bank: Bank) -> None:
    bank.sandbox.control(
        "POST", "/teller/enrollment", token=bank.token, status="disconnected", reason="user_action.mfa_required"
    )
    run = sync(connection)
    assert (run.status, reason_of(run)) == ("failed", "enrollment.disconnected.user_action.mfa_required")
    assert job_of(run).state == "dead"
    with tenant_scope(connection.tenant_id):
        assert Connection.objects.get(id=connection.id).status == "needs_attention"
    bank.sandbox.control("POST", "/teller/enrollment", token=bank.token, status="active")
    assert sync(connection).status == "succeeded"
    with tenant_scope(connection.tenant_id):
        assert Connection.objects.get(id=connection.id).status == "active"
    assert_equal(bank, connection)


def test_run_fails_with_its_last_attempt_and_opens_an_incident(connection: Connection, bank: Bank) -> None:
    bank.sandbox.fault("malformed", rate=1)
    run = sync(connection)
    while run.status == "queued":
        run = run_again(run)
    assert (run.status, run.attempt, job_of(run).state) == ("failed", SYNC_CONNECTION.max_attempts, "dead")
    assert run.finished_at is not None
    assert written(connection) == (0, 0, 0)
    with tenant_scope(connection.tenant_id):
        assert OutboxEvent.objects.filter(type="connection.failed").count() == 1
        assert Incident.objects.filter(kind="connection.failing", key=str(connection.id)).count() == 1


def test_deleted_connection_is_left_alone(connection: Connection, bank: Bank) -> None:
    actor = system_actor("tests", tenant_id=connection.tenant_id)
    with tenant_scope(connection.tenant_id):
        run = SyncRun.objects.get()
    delete_connection(connection_id=connection.id, actor=actor, now=clock.now())
    assert run_again(run).status == "failed"
    assert job_of(run).state == "succeeded"
    assert written(connection) == (0, 0, 0)


@pytest.fixture
def in_background() -> Iterator[Callable[[], Thread]]:
    """Start the next job of the queue in a thread with a database connection of its own."""
    threads: list[Thread] = []

    def work() -> None:
        try:
            run_next("sync", worker="slow")
        finally:
            django_connection.close()

    def start() -> Thread:
        threads.append(Thread(target=work))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(timeout=20)


def wait_for_run(connection: Connection, status: str) -> None:
    deadline = clock.now() + timedelta(seconds=10)
    while True:
        with tenant_scope(connection.tenant_id):
            if SyncRun.objects.filter(status=status).exists():
                return
        assert clock.now() < deadline


def test_worker_that_was_thought_dead_changes_nothing(
    connection: Connection, bank: Bank, in_background: Callable[[], Thread]
) -> None:
    bank.sandbox.fault("delay:1500", count=1, match="/transactions")
    slow = in_background()
    wait_for_run(connection, "running")
    sweep(now=clock.now() + timedelta(minutes=10))
    assert run_next("sync", worker="tests", now=clock.now() + LATER)
    after = written(connection)
    assert after[2] == 1
    slow.join(timeout=20)
    assert not slow.is_alive()
    assert written(connection) == after
    with tenant_scope(connection.tenant_id):
        [run] = SyncRun.objects.all()
        assert (run.status, run.attempt) == ("succeeded", 2)
        assert OutboxEvent.objects.filter(type="connection.synced").count() == 1
    assert_equal(bank, connection)


def test_clients_edit_during_a_sync_survives_it(
    connection: Connection, bank: Bank, in_background: Callable[[], Thread]
) -> None:
    new = bank.add("-12.30", description="SQ *BLUE HERON COFFEE")
    sync(connection)
    posted = bank.post(new)
    actor = system_actor("tests", tenant_id=connection.tenant_id)
    request_sync(connection_id=connection.id, trigger="api", actor=actor, now=clock.now())
    bank.sandbox.fault("delay:800", count=1, match="/transactions")
    thread = in_background()
    wait_for_run(connection, "running")
    row = find_row(new["id"], connection.tenant_id)
    annotate_transaction(transaction_id=row.id, note="with Ana", actor=actor, now=clock.now())
    thread.join(timeout=20)
    successor = find_row(posted["id"], connection.tenant_id)
    assert (successor.replaces_id, successor.note) == (row.id, "with Ana")
    assert_equal(bank, connection)


def test_second_sync_waits_for_the_first(connection: Connection, bank: Bank) -> None:
    actor = system_actor("tests", tenant_id=connection.tenant_id)
    runs = {
        request_sync(connection_id=connection.id, trigger="api", actor=actor, now=clock.now()).id for _n in range(3)
    }
    assert len(runs) == 1
    assert run_next("sync", worker="tests")
    assert not run_next("sync", worker="tests")
