"""Sequencing, proven on the outbox and shared with the audit log: gapless, once, in order, never stalled."""

import threading
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from django.db.models import F, Func, Value

from apps.audit.models import AuditEntry
from apps.audit.services import AUDIT_LOG, sequence_entries
from apps.audit.tasks import sequence as sequence_task
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import system_scope, write_scope
from apps.core.sequencing import Backlog, Numbered, backlog, drain, sequence_pending
from apps.outbox.models import OutboxCounter, OutboxEvent
from apps.outbox.services import OUTBOX, emit_many, relay_events
from apps.outbox.tasks import relay as relay_task
from tests.factories.audit import make_entry
from tests.factories.outbox import make_event, multiply, new_event
from tests.outbox.relays import relaying
from tests.threads import at_once, held

pytestmark = pytest.mark.worker_login

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
TENANTS = [UUID(f"0198c5a0-0000-7000-8000-0000000000{number:02x}") for number in range(1, 6)]


def _sequences(tenant_id: UUID) -> list[tuple[int | None, str]]:
    with system_scope():
        rows = OutboxEvent.objects.filter(tenant_id=tenant_id).order_by("sequence", "position")
        return [(event.sequence, event.data["client_order_id"]) for event in rows]


def _held_open(name: str) -> AbstractContextManager[None]:
    """Emit in a transaction of another connection that commits only when the block ends."""
    return held(lambda: write_scope(system_actor("tests", tenant_id=ACME)), lambda: _emit(ACME, name))


def test_relayed_events_count_from_one_for_each_tenant(now: datetime) -> None:
    for name in ("a", "b", "c"):
        make_event(ACME, data={"client_order_id": name})
    make_event(GLOBEX, data={"client_order_id": "g"})
    assert relay_events(now=now) == 4
    assert _sequences(ACME) == [(1, "a"), (2, "b"), (3, "c")]
    assert _sequences(GLOBEX) == [(1, "g")]
    with system_scope():
        assert set(OutboxEvent.objects.values_list("relayed_at", flat=True)) == {now}
        assert OutboxCounter.objects.get(tenant_id=ACME).last_sequence == 3


def test_the_order_is_that_of_the_positions_whatever_the_ids_say(now: datetime) -> None:
    """Ids are made before an entity's lock is held, and by several machines."""
    first = make_event(ACME, data={"client_order_id": "first"})
    with write_scope(system_actor("tests", tenant_id=ACME)):
        _emit_again(first, UUID(int=1), "second")
        _emit_again(first, UUID(int=2**128 - 1), "third")
    assert relay_events(now=now) == 3
    assert _sequences(ACME) == [(1, "first"), (2, "second"), (3, "third")]


def _emit_again(event: OutboxEvent, with_id: UUID, name: str) -> None:
    event.id, event.data = with_id, {**event.data, "client_order_id": name}
    event.position = Func(Value("outbox_event_position"), function="nextval")
    event.save(force_insert=True)


def test_a_second_relay_finds_nothing_and_changes_nothing(now: datetime) -> None:
    make_event(ACME)
    assert relay_events(now=now) == 1
    assert relay_events(now=now + timedelta(hours=1)) == 0
    with system_scope():
        assert OutboxEvent.objects.get().relayed_at == now


def test_batches_are_bounded_and_go_on_where_the_last_one_ended(now: datetime) -> None:
    for name in "abcde":
        make_event(ACME, data={"client_order_id": name})
    assert [sequence_pending(OUTBOX, now=now, batch_rows=2) for _ in range(4)] == [2, 2, 1, 0]
    assert _sequences(ACME) == [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]


def test_an_event_that_commits_late_comes_later_and_is_not_lost(now: datetime) -> None:
    with _held_open("late"):
        make_event(ACME, data={"client_order_id": "early"})
        assert relay_events(now=now) == 1
        assert _sequences(ACME) == [(1, "early")]
    assert relay_events(now=now) == 1
    assert _sequences(ACME) == [(1, "early"), (2, "late")]


def test_a_long_transaction_stalls_neither_its_own_tenant_nor_another(now: datetime) -> None:
    with _held_open("held"):
        for tenant in (ACME, GLOBEX):
            make_event(tenant, data={"client_order_id": "free"})
        assert relay_events(now=now) == 2
        assert _sequences(ACME) == [(1, "free")]
        assert _sequences(GLOBEX) == [(1, "free")]


def test_a_tenant_that_another_relay_holds_is_passed_over(now: datetime) -> None:
    make_event(ACME, data={"client_order_id": "first"})
    relay_events(now=now)
    make_event(ACME, data={"client_order_id": "a"})
    make_event(GLOBEX, data={"client_order_id": "g"})
    with held(system_scope, lambda: OutboxCounter.objects.select_for_update().get(tenant_id=ACME)):
        assert relay_events(now=now) == 1
        assert _sequences(GLOBEX) == [(1, "g")]
    assert drain(OUTBOX) == 1, "it was passed over, and has nothing to rest from"
    assert _sequences(ACME) == [(1, "first"), (2, "a")]


def test_four_relays_under_fire_number_every_event_once_without_a_gap() -> None:
    """Writers commit late, roll back and interleave; relays run all the while; entities keep their order."""
    writers, per_writer = 4, 25
    locks = {tenant: threading.Lock() for tenant in TENANTS}
    counts = dict.fromkeys(TENANTS, 0)

    def write(seed: int) -> None:
        random = Random(seed)
        for _ in range(per_writer):
            tenant = random.choice(TENANTS)
            if random.random() < 0.2:
                with pytest.raises(ZeroDivisionError), write_scope(system_actor("tests", tenant_id=tenant)):
                    _emit(tenant, "rolled back")
                    raise ZeroDivisionError
            # The lock stands for the entity's row lock: held until the commit.
            with locks[tenant], write_scope(system_actor("tests", tenant_id=tenant)):
                counts[tenant] += 1
                _emit(tenant, str(counts[tenant]), entity_id=tenant)
                time.sleep(random.random() * 0.01)

    with relaying(4):
        at_once(write, range(writers))
    relay_task()

    assert sum(counts.values()) == writers * per_writer
    for tenant in TENANTS:
        numbers = range(1, counts[tenant] + 1)
        assert _sequences(tenant) == [(number, str(number)) for number in numbers]
    with system_scope():
        assert dict(OutboxCounter.objects.values_list("tenant_id", "last_sequence")) == counts


def test_what_takes_part_in_the_numbering_sees_each_batch_once_in_its_transaction(now: datetime) -> None:
    for name in "abc":
        make_event(ACME, data={"client_order_id": name})
    seen: list[Numbered] = []

    def look(batch: Numbered) -> None:
        assert batch.tenant_id is not None
        rows = OutboxEvent.objects.filter(tenant_id=batch.tenant_id, sequence__range=(batch.first, batch.last))
        assert rows.count() == batch.last - batch.first + 1
        seen.append(batch)

    stream = replace(OUTBOX, on_numbered=look)
    assert [sequence_pending(stream, now=now, batch_rows=2) for _ in range(3)] == [2, 1, 0]
    assert seen == [Numbered(ACME, 1, 2, now), Numbered(ACME, 3, 3, now)]


def test_when_that_fails_the_batch_waits_and_other_tenants_go_on(now: datetime) -> None:
    """Late, not lost: without its numbers nothing is relayed, and the next sweep finds all of it."""
    for tenant in (ACME, GLOBEX):
        make_event(tenant, data={"client_order_id": "a"})
    broken = True

    def fail_for_acme(batch: Numbered) -> None:
        assert batch.tenant_id is not None
        make_note(batch.tenant_id)
        if broken and batch.tenant_id == ACME:
            raise ZeroDivisionError

    def make_note(tenant_id: UUID) -> None:
        OutboxCounter.objects.filter(tenant_id=tenant_id).update(last_sequence=F("last_sequence") + 100)

    stream = replace(OUTBOX, on_numbered=fail_for_acme)
    assert sequence_pending(stream, now=now) == 1
    assert (_sequences(ACME), _sequences(GLOBEX)) == ([(None, "a")], [(1, "a")])
    with system_scope():
        assert dict(OutboxCounter.objects.values_list("tenant_id", "last_sequence")) == {GLOBEX: 101}
        assert OutboxEvent.objects.get(tenant_id=ACME).relayed_at is None
    broken = False
    assert sequence_pending(stream, now=now) == 1
    assert _sequences(ACME) == [(1, "a")]


def test_the_audit_log_is_numbered_by_the_same_mechanism(now: datetime) -> None:
    for action in ("order.submitted", "order.accepted"):
        make_entry(ACME, action=action)
    make_entry(GLOBEX)
    assert sequence_entries(now=now) == 3
    with system_scope():
        numbered = list(AuditEntry.objects.filter(tenant_id=ACME).order_by("sequence"))
        assert [(e.sequence, e.action) for e in numbered] == [(1, "order.submitted"), (2, "order.accepted")]
        assert backlog(AUDIT_LOG, now=now) == Backlog(rows=0, lag_seconds=0.0)


def test_the_tasks_drain_their_queues() -> None:
    for tenant in (ACME, GLOBEX):
        make_event(tenant)
        make_entry(tenant)
    relay_task()
    sequence_task()
    with system_scope():
        assert OutboxEvent.objects.filter(sequence=None).count() == 0
        assert AuditEntry.objects.filter(sequence=None).count() == 0


def test_the_backlog_is_the_pending_rows_and_the_age_of_the_oldest(now: datetime) -> None:
    with system_scope():
        assert backlog(OUTBOX, now=now) == Backlog(rows=0, lag_seconds=0.0)
    make_event(ACME, now=now)
    relay_events(now=now)
    make_event(ACME, now=now)
    make_event(GLOBEX, now=now + timedelta(seconds=20))
    with system_scope():
        assert backlog(OUTBOX, now=now + timedelta(seconds=30)) == Backlog(rows=2, lag_seconds=30.0)


def test_the_lag_is_the_oldest_rows_however_many_wait_before_it(now: datetime, database: str) -> None:
    """More than are counted wait in one tenant; the oldest is another's."""
    multiply(make_event(ACME, now=now), 10_001, database=database)
    make_event(GLOBEX, now=now - timedelta(minutes=1))
    with system_scope():
        assert backlog(OUTBOX, now=now) == Backlog(rows=10_001, lag_seconds=60.0)


def _emit(tenant: UUID, name: str, *, entity_id: UUID | None = None) -> None:
    event = new_event("order.filled", entity_id=entity_id, data={"client_order_id": name})
    emit_many([event], actor=system_actor("tests", tenant_id=tenant), now=clock.now())
