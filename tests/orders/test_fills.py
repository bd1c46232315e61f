"""Executions: each counts once, whoever brings it; order, position and P&L follow to the last digit."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from apps.core import clock
from apps.core.scope import tenant_scope, write_scope
from apps.orders.models import OrderEvent
from apps.orders.services.fills import record_fill
from apps.orders.services.locking import lock_order
from apps.orders.services.recognition import request_of
from tests.orders.broker import LOST, Broker
from tests.orders.floor import Floor, number

pytestmark = pytest.mark.worker_login


def at_venue(floor: Floor, **values):
    """Send an order and return it, accepted."""
    order = floor.make_order(**values)
    floor.run()
    return floor.read(order)


def test_a_fill_in_full(floor: Floor, broker: Broker):
    order = at_venue(floor)
    fill = broker.execute("v-1", "10", "190.10")

    floor.hear(broker.update("fill", "v-1", fill))

    stored = floor.read(order)
    assert floor.fate(order) == ("filled", "10", "190.1")
    assert (number(stored.reserved), stored.closed_at is not None) == ("1901", True)
    assert floor.events(order) == ["approved", "submitted", "accepted", "filled"]
    (row,) = floor.fills()
    assert (number(row.quantity), number(row.price), row.is_late, row.venue_execution_id) == (
        "10",
        "190.1",
        False,
        "x-2",
    )
    position = floor.position()
    assert (number(position.quantity), number(position.average_price)) == ("10", "190.1")
    assert number(position.realized_pnl) == "0"


def test_the_event_carries_the_order_and_the_fill(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "10", "190.10")))

    with tenant_scope(floor.tenant.id):
        event = OrderEvent.objects.get(order=order, type="order.filled")
    assert (event.data["status"], event.data["filled_quantity"], event.data["quantity"]) == ("filled", "10", "10")
    assert (event.data["fill"]["quantity"], event.data["fill"]["price"]) == ("10", "190.1")
    assert event.data["position"] == {"quantity": "10", "average_price": "190.1"}


def test_fills_in_parts_add_up(floor: Floor, broker: Broker):
    order = at_venue(floor)
    for quantity, price in (("3", "190.00"), ("3", "190.10"), ("4", "190.20")):
        floor.hear(broker.update("partial_fill", "v-1", broker.execute("v-1", quantity, price)))

    stored = floor.read(order)
    assert floor.events(order) == [
        "approved",
        "submitted",
        "accepted",
        "partially_filled",
        "partially_filled",
        "filled",
    ]
    assert (stored.status, number(stored.average_fill_price)) == ("filled", "190.11")
    assert number(stored.reserved) == "1901.1"


def test_what_was_paid_at_an_average_that_does_not_end_is_exact(floor: Floor, broker: Broker):
    order = floor.make_order(quantity=Decimal(3))
    floor.run()
    for price in ("100", "100", "100.01"):
        floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "1", price)))
    assert floor.fate(order) == ("filled", "3", "100.003333333333333333")
    assert number(floor.read(order).reserved) == "300.01"  # and not 300.009999999999999999


def test_what_is_reserved_shrinks_to_what_was_paid_and_what_is_left(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.hear(broker.update("partial_fill", "v-1", broker.execute("v-1", "4", "100")))
    assert number(floor.read(order).reserved) == "1541.5"  # 400 paid, 6 of 10 times 1902.5 still open

    broker.change("v-1", status="canceled")
    floor.hear(broker.update("canceled", "v-1"))

    assert (floor.read(order).status, number(floor.read(order).reserved)) == ("canceled", "400")


@pytest.mark.parametrize("times", [2, 3])
def test_the_same_execution_counts_once(floor: Floor, broker: Broker, times: int):
    order = at_venue(floor)
    update = broker.update("partial_fill", "v-1", broker.execute("v-1", "4", "190"))

    for _ in range(times):
        floor.hear(update)
    floor.pull()

    assert (number(floor.read(order).filled_quantity), len(floor.fills())) == ("4", 1)
    assert number(floor.position().quantity) == "4"
    assert floor.events(order) == ["approved", "submitted", "accepted", "partially_filled"]


def test_executions_out_of_order_make_the_same_order(floor: Floor, broker: Broker):
    order = at_venue(floor)
    first = broker.update("partial_fill", "v-1", broker.execute("v-1", "4", "190"))
    second = broker.update("fill", "v-1", broker.execute("v-1", "6", "191"))

    floor.hear(second)
    assert (floor.read(order).status, number(floor.read(order).filled_quantity)) == ("partially_filled", "6")
    floor.hear(first)

    assert floor.fate(order) == (
        "filled",
        "10",
        "190.6",
    )


def test_filled_is_not_announced_before_its_fills_are_here(floor: Floor, broker: Broker):
    order = at_venue(floor)
    broker.execute("v-1", "10", "190")

    floor.hear(broker.update("fill", "v-1"))  # the venue's word alone

    assert (floor.read(order).status, number(floor.read(order).filled_quantity)) == ("accepted", "0")
    assert [job.kind for job in floor.jobs(state="queued")] == ["order.pull"]
    floor.run(ahead=2)
    assert (floor.read(order).status, number(floor.read(order).filled_quantity)) == ("filled", "10")
    assert floor.events(order) == ["approved", "submitted", "accepted", "filled"]


def test_an_end_waits_for_its_fills_too(floor: Floor, broker: Broker):
    """Canceled with a part executed: the part first, or it would be a late fill."""
    order = at_venue(floor)
    broker.execute("v-1", "4", "190")
    broker.change("v-1", status="canceled")

    floor.hear(broker.update("canceled", "v-1"))
    assert floor.read(order).status == "accepted"
    floor.run(ahead=2)

    stored = floor.read(order)
    assert (stored.status, number(stored.filled_quantity)) == ("canceled", "4")
    assert floor.events(order)[-2:] == ["partially_filled", "canceled"]
    assert floor.incidents() == []


def test_the_stream_may_be_quicker_than_the_answer(floor: Floor, broker: Broker):
    order = floor.make_order()

    def executes_at_once() -> None:
        placed = broker.place(request_of(floor.read(order)))
        del broker.on_call["place_order"]
        floor.hear(broker.update("new", placed))
        floor.hear(broker.update("fill", placed, broker.execute(placed, "10", "190")))
        broker.orders.pop(placed.venue_order_id)  # so that the call itself goes through, with an older word

    broker.on_call["place_order"] = executes_at_once
    floor.run()

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id) == ("filled", "v-1")
    assert floor.events(order) == ["approved", "submitted", "accepted", "filled"]


def test_a_fill_shows_that_an_unknown_order_is_there(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.fail("place_order", LOST, performs=True)
    floor.run()

    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "10", "190")))

    assert floor.read(order).status == "filled"
    assert floor.events(order) == ["approved", "submitted", "outcome_unknown", "accepted", "filled"]


def test_a_late_fill_is_stored_and_asks_a_person(floor: Floor, broker: Broker):
    order = at_venue(floor)
    broker.change("v-1", status="canceled")
    floor.hear(broker.update("canceled", "v-1"))
    assert floor.read(order).status == "canceled"

    late = broker.execute("v-1", "4", "190", status="canceled")
    floor.hear(broker.update("fill", "v-1", late))
    floor.hear(broker.update("fill", "v-1", late))

    assert floor.fate(order) == (
        "canceled",
        "4",
        "190",
    )
    assert floor.events(order)[-1] == "late_fill_received"
    assert [(fill.is_late, number(fill.quantity)) for fill in floor.fills()] == [(True, "4")]
    assert number(floor.position().quantity) == "4"
    assert floor.incidents() == [("order.late_fill", "open")]


def test_more_than_was_ordered_is_refused_and_asks_a_person(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.hear(broker.update("partial_fill", "v-1", broker.execute("v-1", "8", "190")))
    excess = broker.execute("v-1", "3", "190", status="filled")

    floor.hear(broker.update("fill", "v-1", excess))
    floor.pull()

    stored = floor.read(order)
    assert (stored.status, number(stored.filled_quantity), len(floor.fills())) == ("partially_filled", "8", 1)
    assert number(floor.position().quantity) == "8"
    assert floor.incidents() == [("order.fill_refused", "open")]


@pytest.mark.parametrize(("side", "symbol"), [("sell", "AAPL"), ("buy", "MSFT")])
def test_an_execution_that_cannot_be_the_orders_is_refused(floor: Floor, broker: Broker, side: Any, symbol: str):
    order = at_venue(floor)
    fill = replace(broker.execute("v-1", "10", "190"), side=side, symbol=symbol)

    with write_scope(floor.actor):
        assert record_fill(lock_order(order.id), fill, actor=floor.actor, now=clock.now()) is None

    assert (floor.read(order).status, floor.fills(), floor.is_flat()) == ("accepted", [], True)
    assert floor.incidents() == [("order.fill_refused", "open")]


def test_an_execution_of_a_foreign_order_is_not_ours(floor: Floor, broker: Broker):
    at_venue(floor)
    foreign = replace(broker.orders["v-1"], venue_order_id="v-9", client_order_id="typed by hand")
    broker.orders["v-9"] = foreign
    fill = broker.execute("v-9", "10", "190")

    floor.hear(broker.update("fill", "v-9", fill))
    floor.pull()

    assert (floor.fills(), floor.is_flat()) == ([], True)


def test_average_cost_and_realised_pnl_over_several_orders(floor: Floor, broker: Broker):
    trades = [("buy", "10", "100"), ("buy", "10", "110"), ("sell", "5", "120"), ("sell", "20", "90")]
    for number_, (side, quantity, price) in enumerate(trades, start=1):
        at_venue(floor, side=side, quantity=Decimal(quantity))
        placed = max(broker.orders, key=lambda key: int(key.removeprefix("v-")))
        floor.hear(broker.update("fill", placed, broker.execute(placed, quantity, price, side=side)))
        assert len(floor.fills()) == number_

    position = floor.position()
    # 20 at 105; 5 out at 120 realise 75; 15 out at 90 lose 225; 5 are then short at 90.
    assert (number(position.quantity), number(position.average_price)) == ("-5", "90")
    assert number(position.realized_pnl) == "-150"
    assert [number(fill.realized_pnl) for fill in floor.fills()] == ["0", "0", "75", "-225"]
