"""The kill switch: of an account, a tenant, the installation. After its commit no order goes out."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import NotFound, ReadOnly, ValidationFailed, VersionConflict
from apps.core.ids import new_id
from apps.core.scope import staff_scope, tenant_scope
from apps.jobs.runner import run_next
from apps.orders.enums import OrderStatus, SwitchScope
from apps.orders.models import InstallationKillSwitch, KillSwitch
from apps.orders.services.kill_switch import SwitchResult, read_kill_switches, set_kill_switch
from apps.orders.services.switches import engaged_switches, holding_the_line, line_of
from apps.outbox.models import OutboxEvent
from apps.tenants.errors import StaffOnly
from apps.tenants.services import engage_read_only
from tests import databases
from tests.orders.broker import NAME, Broker
from tests.orders.floor import Floor, open_floor

STAFF = Actor(kind="staff", label="sam", user_id=new_id())
ACCOUNT, TENANT, INSTALLATION = SwitchScope


def engage(floor: Floor, scope: SwitchScope = TENANT, reason: str = "fat finger", **more: Any) -> SwitchResult:
    return turn(floor, scope, engaged=True, reason=reason, **more)


def release(floor: Floor, scope: SwitchScope = TENANT, reason: str = "", **more: Any) -> SwitchResult:
    return turn(floor, scope, engaged=False, reason=reason, **more)


def turn(floor: Floor, scope: SwitchScope, **what: Any) -> SwitchResult:
    """Turn the switch of this level that stops the floor."""
    what.setdefault("actor", STAFF if scope is INSTALLATION else floor.actor)
    account_id = floor.account.id if scope is ACCOUNT else None
    return set_kill_switch(scope=scope, account_id=account_id, now=clock.now(), **what)


def records(floor: Floor) -> list[tuple[str, Any]]:
    """Return the tenant's leaves and events about kill switches."""
    with tenant_scope(floor.tenant.id):
        leaves = AuditEntry.objects.filter(target_type="kill_switch").order_by("position")
        emitted = OutboxEvent.objects.filter(entity_type="kill_switch").order_by("position")
        return [*leaves.values_list("action", "changes"), *emitted.values_list("type", "data")]


@contextmanager
def nothing_changes(floor: Floor) -> Iterator[None]:
    before = records(floor)
    yield
    assert records(floor) == before


def hold(reached: Event, go_on: Event) -> None:
    """Tell that the venue has been reached, and let it answer when the test says so."""
    reached.set()
    go_on.wait(20)


class Concurrently:
    """A call in a thread of its own, with a connection of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.result: Any = None
        self.ended_at = 0.0
        self._thread = Thread(target=self._run, args=[call])
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self.result = call()
        finally:
            self.ended_at = time.monotonic()
            connection.close()

    def join(self) -> Any:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.result

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()


@pytest.fixture
def other(broker: Broker, acme) -> Floor:
    """Another account of acme at the same broker."""
    return open_floor(acme, provider=NAME, key="XNAS:MSFT")


@pytest.fixture
def abroad(broker: Broker, globex) -> Floor:
    """An account of globex at the same broker."""
    return open_floor(globex, provider=NAME, key="XNYS:IBM")


class TestTurning:
    """Engaging and releasing: one leaf and one event each, or nothing."""

    def test_engaged_and_released(self, floor):
        result = engage(floor, reason="fat finger")
        assert isinstance(result.switch, KillSwitch)
        assert (result.switch.engaged, result.switch.version, result.is_quiet) == (True, 1, True)
        again = release(floor, reason="found it")
        assert isinstance(again.switch, KillSwitch)
        assert (again.switch.id, again.switch.engaged, again.switch.version) == (result.switch.id, False, 2)
        engaged, released, first, second = records(floor)
        assert engaged == (
            "kill_switch.engaged",
            {"account_id": [None, None], "engaged": [False, True], "reason": ["", "fat finger"]},
        )
        assert released == (
            "kill_switch.released",
            {"account_id": [None, None], "engaged": [True, False], "reason": ["fat finger", "found it"]},
        )
        assert (first[0], first[1]["engaged"], first[1]["reason"]) == ("kill_switch.engaged", True, "fat finger")
        assert (second[0], second[1]["engaged"], second[1]["version"]) == ("kill_switch.released", False, 2)

    def test_engaging_twice_is_once_and_another_reason_is_told(self, floor):
        engage(floor, reason="fat finger")
        with nothing_changes(floor):
            assert engage(floor, reason="fat finger").is_quiet
        engage(floor, reason="fat finger, desk 4")
        assert [(name, list(data)) for name, data in records(floor)][:2] == [
            ("kill_switch.engaged", ["reason", "engaged", "account_id"]),
            ("kill_switch.engaged", ["reason", "account_id"]),
        ]
        assert [name for name, _data in records(floor)] == ["kill_switch.engaged"] * 4

    def test_releasing_what_is_not_engaged_is_nothing(self, floor):
        with nothing_changes(floor):
            assert release(floor).switch is None
        engage(floor)
        release(floor, reason="done")
        with nothing_changes(floor):
            release(floor, reason="done again")

    @pytest.mark.parametrize(("reason", "code"), [("", "required"), ("  ", "required"), ("x" * 501, "max_length")])
    def test_engaging_needs_a_reason(self, floor, reason: str, code: str):
        with nothing_changes(floor), pytest.raises(ValidationFailed) as refusal:
            engage(floor, reason=reason)
        (error,) = refusal.value.extra["errors"]
        assert (error["field"], error["code"]) == ("reason", code)

    def test_versions(self, floor):
        with pytest.raises(VersionConflict):
            engage(floor, expected_version=0)
        engage(floor)
        for version in (0, 2):
            with nothing_changes(floor), pytest.raises(VersionConflict):
                release(floor, expected_version=version)
        release(floor, expected_version=1)

    def test_an_account_must_be_the_tenants(self, floor, abroad):
        with nothing_changes(floor), pytest.raises(NotFound):
            set_kill_switch(
                scope=ACCOUNT,
                account_id=abroad.account.id,
                engaged=True,
                reason="x",
                actor=floor.actor,
                now=clock.now(),
            )

    def test_it_engages_while_writing_is_off_and_is_not_released(self, floor):
        engage_read_only(tenant_id=floor.tenant.id, reason="audit", actor=STAFF, now=clock.now())
        engage(floor)
        with pytest.raises(ReadOnly):
            release(floor)
        assert [name for name, _data in records(floor)] == ["kill_switch.engaged"] * 2

    def test_the_installations_is_staffs_and_in_the_installations_log(self, floor):
        for kind in ("user", "api_key"):
            with pytest.raises(StaffOnly):
                engage(floor, INSTALLATION, actor=Actor(kind=kind, label="jo", tenant_id=floor.tenant.id))
        result = engage(floor, INSTALLATION, reason="venue in trouble")
        assert isinstance(result.switch, InstallationKillSwitch)
        assert (result.switch.engaged, result.switch.changed_by, result.is_quiet) == (True, "sam", True)
        release(floor, INSTALLATION, reason="over")
        with staff_scope():
            leaves = AuditEntry.objects.filter(target_type="installation").order_by("position")
            assert list(leaves.values_list("tenant_id", "action", "changes")) == [
                (None, "kill_switch.engaged", {"engaged": [False, True], "reason": ["", "venue in trouble"]}),
                (None, "kill_switch.released", {"engaged": [True, False], "reason": ["venue in trouble", "over"]}),
            ]
        assert records(floor) == []


class TestReach:
    """Whom a switch stops, and whom not."""

    @pytest.mark.worker_login
    @pytest.mark.parametrize(("scope", "stopped"), [(ACCOUNT, {"floor"}), (TENANT, {"floor", "other"})])
    def test_approved_orders_are_denied_and_never_sent(self, floor, other, abroad, broker, scope, stopped):
        orders = {"floor": floor.make_order(), "other": other.make_order(), "abroad": abroad.make_order()}
        engage(floor, scope, reason="fat finger")
        floor.run()
        for name, desk in {"floor": floor, "other": other, "abroad": abroad}.items():
            stored = desk.read(orders[name])
            if name in stopped:
                assert (stored.status, stored.denial_code) == (OrderStatus.DENIED, "kill_switch_engaged")
                assert stored.denial_detail == f"A kill switch is engaged ({scope}: fat finger)."
                assert stored.reserved == 0
            else:
                assert stored.status == OrderStatus.ACCEPTED
        assert len(broker.orders) == 3 - len(stopped)

    @pytest.mark.commits
    def test_the_installations_stops_everybody(self, database, floor, other, abroad, broker):
        orders = [floor.make_order(), other.make_order(), abroad.make_order()]
        engage(floor, INSTALLATION, reason="venue in trouble")
        databases.log_in("worker", database)
        floor.run()
        for desk, order in zip((floor, other, abroad), orders, strict=True):
            stored = desk.read(order)
            assert (stored.status, stored.denial_code) == (OrderStatus.DENIED, "kill_switch_engaged")
        assert broker.calls == []

    @pytest.mark.worker_login
    def test_released_it_lets_orders_through(self, floor, broker):
        engage(floor)
        release(floor)
        order = floor.make_order()
        floor.run()
        assert floor.read(order).status == OrderStatus.ACCEPTED

    @pytest.mark.worker_login
    def test_cancels_go_through(self, floor, broker):
        order = floor.make_order()
        floor.run()
        engage(floor)
        floor.ask_cancel(order)
        floor.run()
        assert "cancel_order" in broker.calls

    def test_every_engaged_switch_is_named(self, floor, other):
        engage(floor, ACCOUNT, reason="a")
        engage(floor, TENANT, reason="t")
        with tenant_scope(floor.tenant.id):
            assert engaged_switches(account_id=floor.account.id) == ("account: a", "tenant: t")
            assert engaged_switches(account_id=other.account.id) == ("tenant: t",)


@pytest.mark.worker_login
class TestSendsInTheAir:
    """An order that a worker is sending is waited for; none begins meanwhile."""

    @pytest.mark.parametrize("scope", [ACCOUNT, TENANT])
    def test_the_switch_is_engaged_after_the_send(self, floor, broker, scope):
        sending, go_on = Event(), Event()
        broker.on_call["place_order"] = lambda: hold(sending, go_on)
        first, second = floor.make_order(), floor.make_order()
        worker = Concurrently(floor.run_one)
        assert sending.wait(20)
        switch = Concurrently(lambda: engage(floor, scope))
        time.sleep(0.3)
        assert switch.is_running
        assert self._engaged(floor) == ()
        # Another worker takes the next order meanwhile: it may not begin, and comes back for it.
        floor.run_one()
        assert broker.calls == ["place_order"]
        assert floor.read(second).status == OrderStatus.APPROVED
        go_on.set()
        worker.join()
        assert switch.join().is_quiet
        assert floor.read(first).status == OrderStatus.ACCEPTED
        floor.run(ahead=10)
        assert floor.read(second).denial_code == "kill_switch_engaged"
        assert broker.calls == ["place_order"]

    def test_a_send_that_does_not_end_is_told_of_and_holds_nothing_up_for_ever(self, floor, broker, monkeypatch):
        monkeypatch.setattr(settings, "KILL_SWITCH_WAIT_SECONDS", 1)
        sending, go_on = Event(), Event()
        broker.on_call["place_order"] = lambda: hold(sending, go_on)
        stuck, next_one = floor.make_order(), floor.make_order()
        worker = Concurrently(floor.run_one)
        assert sending.wait(20)
        started = time.monotonic()
        result = engage(floor)
        assert 0.9 < time.monotonic() - started < 5
        assert (result.is_quiet, self._engaged(floor)) == (False, ("tenant: fat finger",))
        assert self._in_flight(floor) == {None: True}
        floor.run_one()
        assert floor.read(next_one).denial_code == "kill_switch_engaged"
        assert not engage(floor).is_quiet  # asked again, it waits again
        go_on.set()
        worker.join()
        assert engage(floor).is_quiet
        assert self._in_flight(floor) == {None: False}
        assert floor.read(stuck).status == OrderStatus.ACCEPTED
        assert broker.calls == ["place_order"]

    def test_two_who_look_at_once_see_no_send(self, floor, broker):
        engage(floor)
        with tenant_scope(floor.tenant.id):
            assert read_kill_switches().in_flight == {None: False}
            assert Concurrently(lambda: self._in_flight(floor)).join() == {None: False}

    def test_other_tenants_go_on_meanwhile(self, floor, abroad, broker):
        sending, go_on = Event(), Event()
        broker.on_call["place_order"] = lambda: hold(sending, go_on)
        floor.make_order()
        worker = Concurrently(floor.run_one)
        assert sending.wait(20)
        switch = Concurrently(lambda: engage(floor))
        time.sleep(0.2)
        del broker.on_call["place_order"]
        order = abroad.make_order()
        floor.run_one()
        assert abroad.read(order).status == OrderStatus.ACCEPTED
        assert switch.is_running
        go_on.set()
        worker.join()
        assert switch.join().is_quiet

    def test_a_worker_that_dies_lets_go(self, database, floor):
        with psycopg.connect(databases.url("worker", database), autocommit=True) as session:
            session.execute("SELECT pg_advisory_lock_shared(%s)", [line_of(TENANT, floor.tenant.id)])
            switch = Concurrently(lambda: engage(floor))
            time.sleep(0.3)
            assert switch.is_running
        assert switch.join().is_quiet

    @pytest.mark.prove
    def test_storm(self, floor, broker):
        """Four workers send as fast as they can; after the switch has answered not one order more goes out."""
        seed = random.randrange(2**32)
        rng, sent_at, stop = random.Random(seed), [], Event()
        pauses = [rng.uniform(0, 0.02) for _ in range(1000)]

        def note_and_pause() -> None:
            sent_at.append(time.monotonic())
            time.sleep(pauses[len(sent_at) % len(pauses)])
            sent_at.append(time.monotonic())

        broker.on_call["place_order"] = note_and_pause

        def work() -> None:
            while not stop.is_set():
                run_next("orders", worker="tests", now=clock.now())

        orders = [floor.make_order() for _ in range(60)]
        workers = [Concurrently(work) for _ in range(4)]
        time.sleep(rng.uniform(0.2, 1.0))
        switch = Concurrently(lambda: engage(floor))
        assert switch.join().is_quiet
        time.sleep(1.5)
        stop.set()
        for worker in workers:
            worker.join()
        floor.run(ahead=10, most=100)
        assert not [at for at in sent_at if at > switch.ended_at], f"seed {seed}"
        states = [floor.read(order).status for order in orders]
        accepted = states.count("accepted")
        assert accepted == len(broker.orders) > 0
        assert states.count("denied") == len(orders) - accepted > 0

    def test_orders_are_not_sent_inside_a_transaction(self, floor):
        with (
            tenant_scope(floor.tenant.id),
            pytest.raises(RuntimeError, match="outside of transactions"),
            holding_the_line(floor.tenant.id, floor.account.id),
        ):
            raise AssertionError("unreachable")

    def _engaged(self, floor: Floor) -> tuple[str, ...]:
        with tenant_scope(floor.tenant.id):
            return engaged_switches(account_id=floor.account.id)

    def _in_flight(self, floor: Floor) -> Any:
        with tenant_scope(floor.tenant.id):
            return read_kill_switches().in_flight
