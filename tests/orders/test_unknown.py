"""An outcome that is not known is never guessed and never repeated: the venue's word ends it, or a person's."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.errors import ValidationFailed
from apps.core.scope import system_scope, tenant_scope, write_scope
from apps.jobs.errors import LeaseLost
from apps.jobs.services.leasing import lease_next, reclaim_expired
from apps.orders.enums import SwitchScope
from apps.orders.errors import OrderOutcomeKnown, OrderStillSought
from apps.orders.models import Order
from apps.orders.rules.checks import Denial
from apps.orders.rules.codes import DenialCode
from apps.orders.services.kill_switch import set_kill_switch
from apps.orders.services.locking import lock_order
from apps.orders.services.recognition import request_of
from apps.orders.services.resolving import declare_lost
from apps.orders.services.routing import abandon, route_order
from apps.orders.services.walking import bring_to_venue
from tests.orders.broker import AWAY, LOST, Broker
from tests.orders.floor import Floor, number
from tests.threads import begin, blocked_sessions, held
from tests.waiting import wait_until

pytestmark = pytest.mark.worker_login


def make_unknown(floor: Floor, broker: Broker, *, performs: bool) -> Order:
    """Send an order whose answer is lost."""
    order = floor.make_order()
    broker.fail("place_order", LOST, performs=performs)
    floor.run()
    assert floor.read(order).status == "unknown"
    return order


def test_what_the_venue_has_is_found(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=True)

    assert floor.run() == 0  # it waits a second, since the order may be on its way
    assert floor.run(ahead=2) == 1

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id, stored.lookups) == ("accepted", "v-1", 0)
    assert floor.events(order) == ["approved", "submitted", "outcome_unknown", "accepted"]
    assert broker.calls == ["place_order", "find_order"]
    assert [job.state for job in floor.jobs()] == ["succeeded", "succeeded"]


def test_another_order_under_its_id_is_not_it(floor: Floor, broker: Broker):
    """Nothing is proven by it: a person is asked at once, and may declare it lost like one that is not there."""
    order = make_unknown(floor, broker, performs=True)
    broker.change("v-1", limit_price=Decimal("190.26"))

    floor.pull()
    floor.hear(broker.update("new", "v-1"))
    for attempt in range(1, 6):
        assert floor.run_one(ahead=10_000 * attempt)

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id, stored.lookups) == ("unknown", "", 5)
    assert floor.incidents() == [("order.another_order", "open"), ("order.outcome_unknown", "open")]
    declare_lost(order_id=order.id, reason="It is another desk's", actor=floor.actor, now=clock.now())
    floor.pull()
    assert [kind for kind, _state in floor.incidents()] == ["order.another_order", "order.outcome_unknown"]


def test_look_ups_that_find_nothing_go_on_ever_more_slowly_and_ask_a_person_at_the_fifth(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=False)
    waits = []

    for attempt in range(1, 8):
        assert floor.run_one(ahead=10_000 * attempt)
        (job,) = floor.jobs(state="queued")
        waits.append(round((job.run_at - clock.now()).total_seconds()) - 10_000 * attempt)
        opened = [("order.outcome_unknown", "open")] if attempt >= 5 else []
        assert (floor.read(order).lookups, floor.incidents()) == (attempt, opened)

    assert waits == [2, 4, 8, 16, 32, 64, 128]
    assert floor.read(order).status == "unknown"
    assert broker.calls == ["place_order", *["find_order"] * 7]
    assert broker.orders == {}


def test_a_look_up_that_fails_counts_for_nothing(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=True)
    broker.fail("find_order", AWAY, times=2)

    for attempt in range(1, 3):
        assert floor.run_one(ahead=100 * attempt)
        assert (floor.read(order).status, floor.read(order).lookups) == ("unknown", 0)
    assert floor.run_one(ahead=1000)

    assert floor.read(order).status == "accepted"


def test_a_person_declares_it_lost_and_the_account_is_free(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=False)
    for attempt in range(1, 6):
        floor.run_one(ahead=10_000 * attempt)

    reason = "The broker's desk confirmed it by phone."
    declare_lost(order_id=order.id, reason=reason, actor=floor.actor, now=clock.now())

    stored = floor.read(order)
    assert (stored.status, stored.reserved, stored.closed_at is not None) == ("lost", 0, True)
    assert floor.events(order)[-1] == "lost"
    assert floor.incidents() == [("order.outcome_unknown", "resolved")]
    with tenant_scope(floor.tenant.id):
        leaf = AuditEntry.objects.get(action="order.lost")
    assert leaf.changes["reason"] == [None, reason]
    assert leaf.changes["status"] == ["unknown", "lost"]
    floor.run(ahead=100_000)
    assert floor.read(order).version == stored.version


def test_it_is_not_lost_before_the_venue_was_asked_five_times(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=False)
    for attempt in range(1, 5):
        floor.run_one(ahead=10_000 * attempt)

    with pytest.raises(OrderStillSought):
        declare_lost(order_id=order.id, reason="Impatience", actor=floor.actor, now=clock.now())

    assert floor.read(order).status == "unknown"


def test_only_an_unknown_order_is_declared_lost_and_only_with_a_reason(floor: Floor, broker: Broker):
    order = floor.make_order()
    with pytest.raises(OrderOutcomeKnown):
        declare_lost(order_id=order.id, reason="No", actor=floor.actor, now=clock.now())
    with pytest.raises(ValidationFailed):
        declare_lost(order_id=order.id, reason="  ", actor=floor.actor, now=clock.now())
    assert floor.events(order) == ["approved"]


def test_a_lost_order_that_the_venue_shows_opens_an_incident_and_its_fill_counts(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=False)
    for attempt in range(1, 6):
        floor.run_one(ahead=10_000 * attempt)
    declare_lost(order_id=order.id, reason="Gone", actor=floor.actor, now=clock.now())
    placed = broker.place(request_of(floor.read(order)))
    broker.execute(placed, "4", "190.00")

    floor.pull()

    stored = floor.read(order)
    assert (stored.status, number(stored.filled_quantity)) == ("lost", "4")
    assert [(number(fill.quantity), fill.is_late) for fill in floor.fills()] == [("4", True)]
    assert number(floor.position().quantity) == "4"
    assert sorted(kind for kind, state in floor.incidents() if state == "open") == [
        "order.found_after_lost",
        "order.late_fill",
    ]


def test_the_stream_resolves_an_unknown_order_and_its_look_up_then_asks_nobody(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=True)

    floor.hear(broker.update("new", "v-1"))

    assert floor.read(order).status == "accepted"
    assert floor.run(ahead=10) == 1
    assert broker.calls == ["place_order"]


@pytest.mark.parametrize("performs", [True, False])
def test_a_worker_that_died_while_sending_leaves_an_order_that_is_looked_up_first(
    floor: Floor, broker: Broker, performs: bool
):
    order = floor.make_order()
    die_in_call(floor, broker, performs=performs)

    floor.run(ahead=120)

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id) == ("accepted", "v-1")
    found = ["place_order", "find_order"] if performs else ["place_order", "find_order", "place_order"]
    assert broker.calls == found
    assert broker.only_order().client_order_id == order.client_order_id


def test_what_a_dead_worker_left_is_not_sent_once_a_kill_switch_is_engaged(floor: Floor, broker: Broker):
    """Nor is it denied: that the venue does not know it yet proves nothing."""
    order = floor.make_order()
    die_in_call(floor, broker, performs=False)
    set_kill_switch(scope=SwitchScope.TENANT, engaged=True, reason="Halt", actor=floor.actor, now=clock.now())

    floor.run_one(ahead=120)

    assert floor.read(order).status == "unknown"
    assert broker.calls == ["place_order", "find_order"]
    assert broker.orders == {}


def test_what_a_dead_worker_left_is_not_sent_once_it_is_canceled(floor: Floor, broker: Broker):
    """Its cancel goes out should the venue ever show it; until then a person alone may say that it is not there."""
    order = floor.make_order()
    die_in_call(floor, broker, performs=False)
    floor.ask_cancel(order)

    floor.run(ahead=70)

    stored = floor.read(order)
    assert (stored.status, stored.pending, broker.orders) == ("unknown", "cancel", {})
    assert broker.calls == ["place_order", "find_order", "find_order"]

    broker.place(request_of(stored))
    floor.run(ahead=200)

    assert broker.calls[3:] == ["find_order", "cancel_order"]
    assert broker.only_order().pending == "cancel"


def test_a_worker_that_was_too_slow_for_its_lease_leaves_the_order_as_it_was(floor: Floor, broker: Broker):
    """It sends nothing any more: of an order that is `submitting` nobody else would know that."""
    order = floor.make_order()
    with system_scope():
        lease = lease_next(queue="orders", kinds=["order.submit"], worker="slow", now=clock.now())
    assert lease is not None
    lease.lost = True

    with pytest.raises(LeaseLost):
        route_order(order.id, lease=lease, clock=clock.now)

    assert (floor.read(order).status, floor.events(order), broker.calls) == ("approved", ["approved"], [])


def test_a_venue_that_cannot_be_asked_leaves_it_submitting(floor: Floor, broker: Broker):
    order = floor.make_order()
    die_in_call(floor, broker, performs=True)
    broker.fail("find_order", AWAY)

    floor.run_one(ahead=120)

    assert floor.read(order).status == "submitting"
    assert floor.run_one(ahead=240)
    assert floor.read(order).status == "accepted"


def test_a_job_that_died_while_the_order_may_be_out_makes_it_unknown(floor: Floor, broker: Broker):
    order = floor.make_order()
    die_in_call(floor, broker, performs=True)

    denial = Denial(DenialCode.SUBMISSION_FAILED, "The job died")
    abandon(order.id, denial, actor=floor.actor, now=clock.now())

    assert floor.read(order).status == "unknown"
    assert [job.kind for job in floor.jobs(state="queued")] == ["order.submit", "order.resolve"]


def test_a_cancel_wished_for_meanwhile_goes_out_once_the_order_is_found(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=True)
    floor.ask_cancel(order)
    assert floor.run() == 1  # nothing to cancel yet
    assert broker.calls == ["place_order"]

    assert floor.run(ahead=10) == 2

    assert broker.calls == ["place_order", "find_order", "cancel_order"]
    assert broker.only_order().pending == "cancel"
    assert (floor.read(order).status, floor.read(order).pending) == ("accepted", "cancel")


def test_a_cancel_that_has_looked_a_moment_too_early_looks_again(floor: Floor, broker: Broker):
    order = make_unknown(floor, broker, performs=True)
    floor.ask_cancel(order)

    def find() -> None:
        bring_to_venue(lock_order(order.id), "v-1", actor=floor.actor, now=clock.now())

    with held(lambda: write_scope(floor.actor), find):
        canceling = begin(floor.run_one)  # reads what the order was before, and then waits for its lock
        wait_until(blocked_sessions, what="the cancel waits for the order's lock")
    assert canceling.result(20)
    assert broker.calls == ["place_order"]

    assert floor.run() == 1
    assert broker.calls == ["place_order", "cancel_order"]
    assert broker.only_order().pending == "cancel"


def die_in_call(floor: Floor, broker: Broker, *, performs: bool) -> None:
    """Run the job of the one order and let it end without a word in the middle of its call, as SIGKILL would."""

    class Killed(BaseException):
        pass

    def die() -> None:
        if performs:
            with tenant_scope(floor.tenant.id):
                broker.place(request_of(Order.objects.select_related("instrument").get()))
        raise Killed

    broker.on_call["place_order"] = die
    with pytest.raises(Killed):
        floor.run_one()
    del broker.on_call["place_order"]
    (job,) = floor.jobs()
    assert job.state == "leased"
    reclaim(clock.now() + timedelta(seconds=60))


def reclaim(now) -> None:
    with system_scope():
        assert len(reclaim_expired(now=now)) == 1
