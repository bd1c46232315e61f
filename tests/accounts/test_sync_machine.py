"""Whatever happens at the bank, on the wire and to the worker: afterwards our rows equal the bank's.

Hypothesis drives the sandbox, breaks its answers, and kills real worker processes with SIGKILL: at any moment, during
a call to the bank, and inside the transaction that applies, at a step chosen by holding a lock that the step needs.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from apps.accounts.errors import TransactionRemoved
from apps.accounts.models import Account, Transaction
from apps.accounts.services import annotate_transaction
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.scope import tenant_scope
from apps.core.verification import Verdict, registered, verify
from apps.jobs.runner import sweep
from apps.outbox.models import OutboxEvent
from apps.providers.models import SyncRun
from apps.providers.services import request_sync
from tests import databases
from tests.accounts.bank import Bank, assert_equal
from tests.factories.accounts import make_connection
from tests.factories.tenants import make_tenant
from tests.forks import Forks, run_dry
from tests.memory import forget_all
from tests.sandbox_process import SandboxProcess

FAULTS = ("status:429", "status:502", "drop_response", "malformed", "duplicate", "reorder", "throttle")
CALLS = ("/accounts", "/balances", "/transactions")
# Writing to the table is the step at which the worker then stands when it is killed.
STEPS = ("providers_syncrun", "accounts_account", "accounts_transaction", "audit_entry", "outbox_event")
_names = count(1)


@dataclass(frozen=True)
class World:
    """What the examples of one test share."""

    sandbox: SandboxProcess
    forks: Forks
    database: str
    owner: psycopg.Connection[Any]
    blocker: psycopg.Connection[Any]


class SyncMachine(RuleBasedStateMachine):
    """One tenant, one bank login, and everything that can go wrong between them."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.pending: list[tuple[str, dict[str, Any]]] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.notes: dict[str, str] = {}
        self.serial = count(1)

    @initialize(size=st.sampled_from(["bulk", "life"]))
    def connect(self, size: str) -> None:
        number = next(_names)
        self.bank = Bank(
            self.world.sandbox, f"bulk{40 + number}" if size == "bulk" else f"machine-{os.getpid()}-{number}"
        )
        self.tenant = make_tenant(f"machine-{os.getpid()}-{number}")
        self.actor: Actor = system_actor("tests", tenant_id=self.tenant.id)
        self.connection = make_connection(self.tenant, self.bank.label)

    # What happens at the bank.

    @rule(cents=st.integers(-9_999, -100), days=st.integers(0, 8), is_pending=st.booleans(), which=st.integers(0, 9))
    def add(self, cents: int, days: int, is_pending: bool, which: int) -> None:
        subtypes = sorted(self.bank.accounts())
        subtype = subtypes[which % len(subtypes)]
        word = _word(next(self.serial))
        row = self.bank.add(
            f"{Decimal(cents) / 100:.2f}",
            subtype=subtype,
            date=(clock.now() - timedelta(days=days)).date().isoformat(),
            status="pending" if is_pending else "posted",
            description=word,
            counterparty=word,
        )
        (self.pending if is_pending else self.posted).append((subtype, row))

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 9), has_new_id=st.booleans(), has_tip=st.booleans())
    def post(self, which: int, has_new_id: bool, has_tip: bool) -> None:
        subtype, row = self.pending.pop(which % len(self.pending))
        tip = {"amount": f"{Decimal(row['amount']) * Decimal('1.2'):.2f}"} if has_tip else {}
        now = self.bank.post(row, subtype=subtype, new_id=has_new_id, **tip)
        self.posted.append((subtype, now))
        if row["id"] in self.notes:
            self.notes[now["id"]] = self.notes.pop(row["id"])

    @precondition(lambda self: self.pending or self.posted)
    @rule(which=st.integers(0, 19), cents=st.integers(-9_999, -100))
    def change(self, which: int, cents: int) -> None:
        rows = self.pending + self.posted
        subtype, row = rows[which % len(rows)]
        fields = {"category": f"category {cents}"}
        if row["status"] == "posted":
            fields["amount"] = f"{Decimal(cents) / 100:.2f}"
            if not self._knows(row):
                self.notes.pop(row["id"], None)  # with another amount no one can tell which pending one it was
        row.update(self.bank.change(row, subtype=subtype, **fields))

    @precondition(lambda self: self.pending or self.posted)
    @rule(which=st.integers(0, 19))
    def remove(self, which: int) -> None:
        rows = self.pending + self.posted
        subtype, row = rows[which % len(rows)]
        self.bank.steer("remove", subtype=subtype, transaction_id=row["id"])
        self.pending = [item for item in self.pending if item[1] is not row]
        self.posted = [item for item in self.posted if item[1] is not row]
        self.notes.pop(row["id"], None)

    @rule(hours=st.sampled_from([6, 24, 48]))
    def time_goes_by(self, hours: int) -> None:
        self.world.sandbox.advance(hours * 3600)

    # What happens on our side.

    @precondition(lambda self: self.pending or self.posted)
    @rule(which=st.integers(0, 19))
    def write_a_note(self, which: int) -> None:
        rows = self.pending + self.posted
        _subtype, row = rows[which % len(rows)]
        with tenant_scope(self.tenant.id):
            ours = Transaction.objects.filter(external_id=row["id"]).first()
        if ours is None:
            return
        note = f"note {next(self.serial)}"
        try:
            annotate_transaction(transaction_id=ours.id, note=note, actor=self.actor, now=clock.now())
        except TransactionRemoved:
            return
        self.notes[row["id"]] = note

    @rule(which=st.integers(0, 9), has_tip=st.booleans())
    def write_a_note_on_a_purchase_that_then_posts(self, which: int, has_tip: bool) -> None:
        """Do in order what chance alone rarely does."""
        self.add(cents=-5_000, days=1, is_pending=True, which=which)
        self.sync()
        self.write_a_note(which=len(self.pending) - 1)
        self.post(which=len(self.pending) - 1, has_new_id=True, has_tip=has_tip)

    # What breaks.

    @rule(kind=st.sampled_from(FAULTS), call=st.sampled_from(CALLS), times=st.integers(1, 4))
    def break_the_wire(self, kind: str, call: str, times: int) -> None:
        self.world.sandbox.fault(kind, match=call, count=times)

    @rule()
    def wipe_valkey(self) -> None:
        forget_all()

    @rule()
    def sync(self) -> None:
        self._request()
        assert self.world.forks.wait(self._start_worker()) == 0

    @rule(milliseconds=st.integers(0, 400))
    def kill_at_any_moment(self, milliseconds: int) -> None:
        self._request()
        pid = self._start_worker()
        time.sleep(milliseconds / 1000)
        self._kill(pid)

    @rule(call=st.sampled_from(CALLS))
    def kill_during_a_call(self, call: str) -> None:
        self._request()
        self.world.sandbox.fault("delay:500", match=call, count=1)
        pid = self._start_worker()
        self._await(lambda: bool(self._number("SELECT count(*) FROM jobs_job WHERE state = 'leased'")), seconds=2)
        time.sleep(0.2)
        self._kill(pid)

    @rule(step=st.sampled_from(STEPS))
    def kill_inside_the_transaction(self, step: str) -> None:
        self._request()
        with self._blocked(step):
            pid = self._start_worker()
            self._await(lambda: self._is_over() or self._is_waiting(), seconds=5)
            self._kill(pid)

    @rule()
    def kill_before_the_job_is_settled(self) -> None:
        self._request()
        with ExitStack() as hold:
            with self._blocked("accounts_account"):
                pid = self._start_worker()
                self._await(lambda: self._is_over() or self._is_waiting(), seconds=5)
                hold.enter_context(self._leased_job_held())
            self._await(self._is_waiting, seconds=2)
            self._kill(pid)

    def teardown(self) -> None:
        try:
            if hasattr(self, "connection"):
                self._settle_everything()
                self._check()
        finally:
            self.world.sandbox.clear_faults()
            self.world.owner.execute(
                "UPDATE jobs_job SET state = 'discarded', leased_until = NULL, finished_at = now()"
            )

    def _settle_everything(self) -> None:
        """Mend the wire, let the time pass that retries and leases take, and synchronise once more."""
        self.world.sandbox.clear_faults()
        self._request()
        for _round in range(10):
            assert self.world.forks.wait(self._start_worker()) == 0
            self._pass_time()
            if self._is_over():
                break
        self.sync()
        with tenant_scope(self.tenant.id):
            assert SyncRun.objects.order_by("id").last().status == "succeeded"  # type: ignore[union-attr]

    def _check(self) -> None:
        assert_equal(self.bank, self.connection)
        with tenant_scope(self.tenant.id):
            rows = {row.external_id: row for row in Transaction.objects.select_related("account")}
            assert {name: rows[name].note for name in self.notes} == self.notes
            events = Counter(OutboxEvent.objects.filter(entity_type="transaction").values_list("entity_id", flat=True))
            synced = OutboxEvent.objects.filter(type="connection.synced").count()
            assert synced == SyncRun.objects.filter(status="succeeded").count()
            accounts = dict(Account.objects.values_list("id", "version"))
            told = Counter(OutboxEvent.objects.filter(entity_type="account").values_list("entity_id", flat=True))
            added = [leaf.changes["added"][1] for leaf in AuditEntry.objects.filter(action="accounts.synced")]
        # Each version of each row was told once, and each row was added once; the first read tells none of its own.
        for row in rows.values():
            is_backfill = row.created_at == row.account.first_read_at
            assert events[row.id] == row.version - is_backfill, row
        assert sum(added) == len(rows)
        assert told == accounts
        checks = [check for check in registered() if check.name.startswith("accounts.")]
        results = [result for result in verify(checks, tenant_ids=[self.tenant.id]) if result.verdict]
        assert [(result.check.name, result.verdict, result.findings) for result in results] == [
            (check.name, Verdict.PASSED, ()) for check in checks
        ]

    def _request(self) -> None:
        self._pass_time()
        request_sync(connection_id=self.connection.id, trigger="api", actor=self.actor, now=clock.now())

    def _pass_time(self) -> None:
        """Let leases of killed workers expire, delays of retries pass and breakers close."""
        self.wipe_valkey()
        past = "clock_timestamp() - interval '1 second'"
        self.world.owner.execute(f"UPDATE jobs_job SET leased_until = {past} WHERE state = 'leased'")
        sweep(now=clock.now())
        self.world.owner.execute(f"UPDATE jobs_job SET run_at = {past} WHERE state = 'queued'")

    def _start_worker(self) -> int:
        return self.world.forks.start(run_dry, self.world.database, "sync")

    def _kill(self, pid: int) -> None:
        assert self.world.forks.kill(pid) in (0, -signal.SIGKILL)  # it may have been quicker

    @contextmanager
    def _blocked(self, table: str) -> Iterator[None]:
        """Let no one write to a table; reading goes on."""
        with self.world.blocker.transaction():
            self.world.blocker.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield

    @contextmanager
    def _leased_job_held(self) -> Iterator[None]:
        with self.world.owner.transaction():
            self.world.owner.execute("SELECT FROM jobs_job WHERE state = 'leased' FOR UPDATE")
            yield

    def _is_waiting(self) -> bool:
        # Of a row lock's wait only the holder's transaction is known, not the database.
        query = """SELECT count(*) FROM pg_locks LEFT JOIN pg_database ON pg_database.oid = pg_locks.database
                   WHERE NOT granted AND coalesce(datname, current_database()) = current_database()"""
        return bool(self._number(query))

    def _is_over(self) -> bool:
        return not self._number("SELECT count(*) FROM jobs_job WHERE state IN ('queued', 'leased')")

    def _knows(self, row: dict[str, Any]) -> bool:
        with tenant_scope(self.tenant.id):
            return Transaction.objects.filter(external_id=row["id"]).exists()

    def _number(self, query: LiteralString) -> int:
        found = self.world.owner.execute(query).fetchone()
        assert found is not None
        return int(found[0])

    @staticmethod
    def _await(condition: Any, *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)


def _word(number: int) -> str:
    """Return a word that no other number has, of letters alone: 1 -> "rowb"."""
    letters = ""
    while number:
        number, digit = divmod(number, 26)
        letters = chr(ord("a") + digit) + letters
    return f"row{letters}"


@pytest.fixture
def world(bank: Bank, database: str, forks: Forks) -> Iterator[World]:
    with (
        databases.as_owner(database) as owner,
        databases.as_owner(database) as blocker,
    ):
        yield World(bank.sandbox, forks, database, owner, blocker)


def prove(world: World, *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        lambda: SyncMachine(world),  # type: ignore[arg-type]  # any factory will do
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.mark.worker_login
@pytest.mark.long
def test_rows_equal_the_banks_whatever_happens(world: World) -> None:
    prove(world, examples=2, steps=10)


@pytest.mark.prove
@pytest.mark.worker_login
def test_rows_equal_the_banks_whatever_happens_for_long(world: World) -> None:
    prove(world, examples=40, steps=40)
