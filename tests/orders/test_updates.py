"""The venue's word on an order: taken over once, never backwards; cancels and replacements until the venue says."""

from decimal import Decimal

import pytest

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.orders.enums import SwitchScope
from apps.orders.services.kill_switch import set_kill_switch
from apps.orders.services.requests import request_cancel
from apps.outbox.models import OutboxEvent
from tests.orders.broker import AWAY, LOST, REFUSED, THROTTLED, Broker
from tests.orders.floor import Floor, number

pytestmark = pytest.mark.worker_login


def at_venue(floor: Floor, **values):
    """Send an order and return it, accepted."""
    order = floor.make_order(**values)
    floor.run()
    return floor.read(order)


@pytest.mark.parametrize("status", ["canceled", "expired", "rejected"])
def test_the_venue_ends_an_order(floor: Floor, broker: Broker, status: str):
    order = at_venue(floor)
    broker.change("v-1", status=status, reason="Because.")

    floor.hear(broker.update(status, "v-1"))

    stored = floor.read(order)
    assert (stored.status, stored.reserved, stored.closed_at is not None) == (status, 0, True)
    assert stored.denial_detail == ("Because." if status == "rejected" else "")
    assert floor.events(order)[-1] == status


def test_what_is_done_for_the_day_goes_on_the_next(floor: Floor, broker: Broker):
    """A `gtc` order: executed in part, done for the day, at work again, and canceled."""
    order = at_venue(floor, time_in_force="gtc")
    floor.hear(broker.update("partial_fill", "v-1", broker.execute("v-1", "4", "190")))
    done = broker.update("done_for_day", broker.change("v-1", status="done_for_day"))
    floor.hear(done)
    stored = floor.read(order)
    assert (stored.status, stored.closed_at is None, number(stored.filled_quantity)) == ("done_for_day", True, "4")
    assert number(stored.reserved) == "1901.5"  # 4 at 190, and 6 that may still cost 190.25

    broker.change("v-1", status="partially_filled")
    floor.pull()
    floor.hear(done)
    assert floor.read(order).status == "partially_filled"
    assert floor.events(order)[-3:] == ["partially_filled", "done_for_day", "resumed"]
    assert has_fill(floor, "order.partially_filled") == [True]
    assert has_fill(floor, "order.resumed") == [False]
    floor.hear(broker.update("done_for_day", broker.change("v-1", status="done_for_day")))
    floor.hear(broker.update("partial_fill", "v-1", broker.execute("v-1", "1", "191")))
    assert floor.fate(order) == ("partially_filled", "5", "190.2")

    floor.ask_cancel(order)
    floor.run()
    assert "cancel_order" in broker.calls
    floor.hear(broker.update("canceled", broker.change("v-1", status="canceled", pending="none")))
    assert floor.fate(order) == ("canceled", "5", "190.2")
    assert floor.incidents() == []


def has_fill(floor: Floor, type_: str) -> list[bool]:
    """Tell of each event of a type that clients get whether it carries an execution."""
    with tenant_scope(floor.tenant.id):
        return ["fill" in event.data for event in OutboxEvent.objects.filter(type=type_).order_by("position")]


def test_what_is_done_for_the_day_untouched_goes_on_the_next(floor: Floor, broker: Broker):
    order = at_venue(floor, time_in_force="gtc")
    floor.hear(broker.update("done_for_day", broker.change("v-1", status="done_for_day")))
    floor.hear(broker.update("new", broker.change("v-1", status="accepted")))

    assert floor.read(order).status == "accepted"
    assert floor.events(order)[-3:] == ["accepted", "done_for_day", "accepted"]


def test_what_is_done_for_the_day_can_be_canceled(floor: Floor, broker: Broker):
    order = at_venue(floor, time_in_force="gtc")
    floor.hear(broker.update("done_for_day", broker.change("v-1", status="done_for_day")))

    floor.ask_cancel(order)
    floor.run()

    assert (floor.read(order).status, floor.read(order).pending) == ("done_for_day", "cancel")
    assert broker.only_order().pending == "cancel"


def test_what_is_left_of_an_order_may_be_rejected(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.hear(broker.update("partial_fill", "v-1", broker.execute("v-1", "4", "190")))

    floor.hear(broker.update("rejected", broker.change("v-1", status="rejected", reason="halted")))

    stored = floor.read(order)
    assert floor.fate(order) == ("rejected", "4", "190")
    assert (stored.denial_code, stored.denial_detail) == ("rejected_by_venue", "halted")
    assert (number(stored.reserved), number(floor.position().quantity)) == ("760", "4")


def test_the_same_word_twice_changes_nothing(floor: Floor, broker: Broker):
    order = at_venue(floor)
    broker.change("v-1", status="canceled")
    update = broker.update("canceled", "v-1")
    floor.hear(update)
    before = floor.read(order)

    floor.hear(update)
    floor.pull()

    assert floor.read(order).version == before.version


def test_an_older_word_never_takes_it_back(floor: Floor, broker: Broker):
    order = at_venue(floor)
    new = broker.update("new", "v-1")
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "10", "190")))

    floor.hear(new)

    assert floor.read(order).status == "filled"


def test_a_stale_open_state_is_known_by_its_time(floor: Floor, broker: Broker):
    order = at_venue(floor)
    accepted = broker.update("new", broker.change("v-1"))
    broker.change("v-1", status="held")
    held = broker.update("held", "v-1")

    floor.hear(held)
    floor.hear(accepted)
    assert floor.read(order).status == "held"

    broker.change("v-1", status="accepted")
    floor.hear(broker.update("new", "v-1"))
    assert floor.read(order).status == "accepted"


def test_a_cancel_is_pending_until_the_venue_confirms(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.ask_cancel(order)

    floor.run()

    assert (floor.read(order).status, floor.read(order).pending) == ("accepted", "cancel")
    broker.change("v-1", status="canceled", pending="none")
    floor.hear(broker.update("canceled", "v-1"))
    stored = floor.read(order)
    assert (stored.status, stored.pending) == ("canceled", "none")
    assert floor.events(order) == ["approved", "submitted", "accepted", "cancel_requested", "canceled"]


def test_a_cancel_of_what_never_left_denies_it(floor: Floor, broker: Broker):
    order = floor.make_order(job=False)
    floor.ask_cancel(order)

    floor.run()

    stored = floor.read(order)
    assert (stored.status, stored.denial_code) == ("denied", "canceled_before_submission")
    assert broker.calls == []


def test_a_cancel_that_comes_too_late_is_refused_and_the_fills_are_fetched(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.ask_cancel(order)
    broker.execute("v-1", "10", "190")

    floor.run(ahead=3)

    stored = floor.read(order)
    assert (stored.status, stored.pending, number(stored.filled_quantity)) == ("filled", "none", "10")
    assert floor.events(order)[-3:] == ["cancel_requested", "cancel_refused", "filled"]


def test_a_fill_that_races_a_cancel_wins(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.ask_cancel(order)
    floor.run()

    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "10", "190", pending="none")))

    assert (floor.read(order).status, floor.read(order).pending) == ("filled", "none")


def test_a_cancel_whose_answer_is_lost_looks_at_the_order(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.ask_cancel(order)
    broker.fail("cancel_order", LOST, performs=True)

    floor.run()

    assert broker.calls == ["place_order", "cancel_order", "get_order"]
    assert (floor.read(order).pending, [job.state for job in floor.jobs()]) == ("cancel", ["succeeded"] * 2)


@pytest.mark.parametrize("category", [LOST, AWAY, THROTTLED])
def test_a_cancel_that_did_not_arrive_is_asked_for_again(floor: Floor, broker: Broker, category):
    order = at_venue(floor)
    floor.ask_cancel(order)
    broker.fail("cancel_order", category)

    floor.run()
    assert (broker.only_order().pending, floor.read(order).pending) == ("none", "cancel")
    floor.run(ahead=60)

    assert broker.only_order().pending == "cancel"
    assert broker.calls.count("cancel_order") == 2


def test_a_cancel_that_the_stream_reports_as_refused(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.ask_cancel(order)
    floor.run()
    broker.change("v-1", pending="none", reason="order is being replaced")

    floor.hear(broker.update("order_cancel_rejected", "v-1"))
    floor.hear(broker.update("order_cancel_rejected", "v-1"))

    stored = floor.read(order)
    assert (stored.status, stored.pending) == ("accepted", "none")
    assert floor.events(order)[-2:] == ["cancel_requested", "cancel_refused"]


def test_a_cancel_works_while_the_kill_switch_is_engaged(floor: Floor, broker: Broker):
    order = at_venue(floor)
    set_kill_switch(scope=SwitchScope.TENANT, engaged=True, reason="Halt", actor=floor.actor, now=clock.now())
    floor.ask_cancel(order)

    floor.run()

    assert broker.only_order().pending == "cancel"


def test_a_replacement_takes_the_place_of_the_original(floor: Floor, broker: Broker):
    original = at_venue(floor)
    new = floor.ask_replace(original, limit_price=Decimal("191.00"))

    floor.run()

    assert (floor.read(new).status, floor.read(new).venue_order_id) == ("accepted", "v-2")
    assert (broker.orders["v-1"].replaced_by, broker.orders["v-2"].replaces) == ("v-2", "v-1")
    assert (floor.read(original).status, floor.read(original).pending) == ("accepted", "replace")
    floor.hear(broker.update("replaced", "v-1"))
    assert (floor.read(original).status, floor.read(original).pending) == ("replaced", "none")
    assert floor.events(original)[-2:] == ["replace_requested", "replaced"]


def test_a_replacement_that_is_refused_leaves_the_original(floor: Floor, broker: Broker):
    original = at_venue(floor)
    new = floor.ask_replace(original)
    broker.fail("replace_order", REFUSED, code="order_not_replaceable")

    floor.run()

    assert floor.read(new).status == "rejected"
    stored = floor.read(original)
    assert (stored.status, stored.pending) == ("accepted", "none")
    assert floor.events(original)[-2:] == ["replace_requested", "replace_refused"]


def test_a_replacement_of_what_was_filled_meanwhile(floor: Floor, broker: Broker):
    original = at_venue(floor)
    new = floor.ask_replace(original)
    broker.execute("v-1", "10", "190")

    floor.run()
    floor.pull()

    assert floor.read(new).status == "rejected"
    assert (floor.read(original).status, floor.read(original).pending) == ("filled", "none")
    assert floor.events(original)[-2:] == ["replace_refused", "filled"]


def test_a_replacement_of_what_is_known_to_be_closed_is_not_sent(floor: Floor, broker: Broker):
    original = at_venue(floor)
    new = floor.ask_replace(original)
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "10", "190")))

    floor.run()

    assert (floor.read(new).status, floor.read(new).denial_code) == ("denied", "original_closed")
    assert "replace_order" not in broker.calls


def test_a_replacement_of_what_was_executed_in_part_meanwhile_is_not_sent(floor: Floor, broker: Broker):
    """Its quantity was what was left then: sent now, more would be executed than anybody has ordered."""
    original = at_venue(floor)
    new = floor.ask_replace(original)
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "6", "190")))

    floor.run()

    assert (floor.read(new).status, floor.read(new).denial_code) == ("denied", "original_executed")
    assert (floor.read(original).status, floor.read(original).pending) == ("partially_filled", "none")
    assert "replace_order" not in broker.calls


def test_a_replacement_of_what_had_been_executed_in_part_before(floor: Floor, broker: Broker):
    original = at_venue(floor)
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "6", "190")))
    new = floor.ask_replace(floor.read(original), quantity=Decimal(4))

    floor.run()

    assert floor.read(new).status == "accepted"


def test_an_order_is_canceled_although_its_replacement_may_be_lost(floor: Floor, broker: Broker):
    original = at_venue(floor)
    floor.ask_replace(original)
    broker.fail("replace_order", LOST)
    floor.run()

    request_cancel(order_id=original.id, actor=floor.actor, now=clock.now())
    floor.run()

    assert broker.orders["v-1"].pending == "cancel"
    floor.hear(broker.update("canceled", broker.change("v-1", status="canceled")))
    assert floor.read(original).status == "canceled"


def test_a_replacement_whose_answer_is_lost_is_looked_up(floor: Floor, broker: Broker):
    original = at_venue(floor)
    new = floor.ask_replace(original)
    broker.fail("replace_order", LOST, performs=True)

    floor.run()
    assert floor.read(new).status == "unknown"
    floor.run(ahead=3)
    floor.pull()

    assert floor.read(new).status == "accepted"
    assert floor.read(original).status == "replaced"
    assert broker.calls.count("replace_order") == 1


def test_a_replacement_that_the_venue_does_not_know_lets_the_original_be_canceled(floor: Floor, broker: Broker):
    original = at_venue(floor)
    new = floor.ask_replace(original)
    broker.fail("replace_order", LOST)
    floor.run()

    for attempt in range(1, 6):
        floor.run_one(ahead=10_000 * attempt)

    assert (floor.read(new).status, floor.read(new).lookups) == ("unknown", 5)
    assert (floor.read(original).status, floor.read(original).pending) == ("accepted", "none")
    assert floor.events(original)[-2:] == ["replace_requested", "replace_refused"]


def test_a_replacement_that_the_venue_rejects_later(floor: Floor, broker: Broker):
    original = at_venue(floor)
    new = floor.ask_replace(original)
    floor.run()
    broker.change("v-2", status="rejected", reason="price")
    broker.change("v-1", status="accepted", replaced_by=None)

    floor.hear(broker.update("rejected", "v-2"))
    floor.hear(broker.update("order_replace_rejected", "v-1"))

    assert floor.read(new).status == "rejected"
    assert (floor.read(original).status, floor.read(original).pending) == ("accepted", "none")
    assert floor.events(original).count("replace_refused") == 1


@pytest.mark.parametrize(
    ("is_known", "why"),
    [
        (True, "The order that it was to replace came to its end first: filled."),
        (False, "The venue gives no reason. The order that it was to replace may have come to its end first."),
    ],
)
def test_a_replacement_rejected_without_a_reason_says_what_is_known(floor: Floor, broker: Broker, is_known, why):
    """The venue took it, then its original was executed: Alpaca rejects it with no more than the word."""
    original = at_venue(floor)
    new = floor.ask_replace(original)
    floor.run()
    fill = broker.execute("v-1", "10", "190", replaced_by=None)
    if is_known:
        floor.hear(broker.update("fill", "v-1", fill))

    floor.hear(broker.update("rejected", broker.change("v-2", status="rejected")))

    stored = floor.read(new)
    assert (stored.status, stored.denial_code, stored.denial_detail) == ("rejected", "rejected_by_venue", why)
