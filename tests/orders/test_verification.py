"""`orders.*`: a row that is not what its events, fills or answers say is found, and nothing else is."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from apps.core import clock
from apps.core.scope import snapshot_scope, write_scope
from apps.idempotency.services import keep_answer, take_key
from apps.idempotency.types import Answer
from apps.orders.events import position_opened_event
from apps.orders.models import Fill, Order, OrderEvent, Position
from apps.outbox.services import emit
from tests.orders.broker import Broker
from tests.orders.floor import Floor
from tests.tampering import found, looked_at, tamper

pytestmark = pytest.mark.worker_login

CHECKS = ("orders.answers", "orders.fold", "orders.positions")


@pytest.fixture
def order(floor: Floor, broker: Broker) -> Order:
    """An order that was executed in three parts, at three prices, and another one that works."""
    order = floor.make_order()
    floor.run()
    for quantity, price in (("3", "190.10"), ("3", "190.07"), ("4", "189.99")):
        fill = broker.execute("v-1", quantity, price)
        floor.hear(broker.update("fill" if quantity == "4" else "partial_fill", "v-1", fill))
    floor.make_order()
    floor.run()
    return floor.read(order)


@pytest.fixture
def fills(order: Order) -> list[Fill]:
    with snapshot_scope():
        return list(Fill.objects.filter(order=order).order_by("id"))


def test_what_happened_adds_up(order: Order) -> None:
    assert looked_at("orders.fold") == 2
    assert looked_at("orders.positions") == 3


def test_an_altered_row_is_not_the_fold_of_its_events(order: Order) -> None:
    for change, back, expected, there in (
        ("status = 'canceled'", "status = 'filled'", "status filled", "status canceled"),
        ("limit_price = 191", "limit_price = 190.25", "limit_price 190.25", "limit_price 191"),
        ("venue_order_id = 'v-9'", "venue_order_id = 'v-1'", "venue_order_id v-1", "venue_order_id v-9"),
    ):
        tamper(f"UPDATE orders_order SET {change} WHERE id = %s", order.id)
        assert found(*CHECKS) == [("orders_order", str(order.id), expected, there)]
        tamper(f"UPDATE orders_order SET {back} WHERE id = %s", order.id)


def test_an_altered_event_changes_the_fold(order: Order) -> None:
    tamper("UPDATE orders_orderevent SET type = 'order.expired' WHERE order_id = %s AND sequence = 6", order.id)
    assert found(*CHECKS) == [("orders_order", str(order.id), "status expired", "status filled")]


def test_a_missing_event_is_a_gap(order: Order) -> None:
    tamper("DELETE FROM orders_orderevent WHERE order_id = %s AND sequence = 2", order.id)
    assert found(*CHECKS) == [("orders_order", str(order.id), "1 to 6", "sequences 1, 3, 4, 5, 6")]


def test_an_order_that_was_deleted_is_missed_by_its_events(order: Order) -> None:
    tamper("DELETE FROM orders_order WHERE id = %s", order.id)
    assert found("orders.fold") == [("orders_order", str(order.id), "a row", "no row")]


def test_an_event_that_cannot_be_read_is_said_to_be_so(order: Order) -> None:
    tamper("UPDATE orders_orderevent SET data = '[]' WHERE order_id = %s AND sequence = 2", order.id)
    assert found(*CHECKS) == [("orders_order", str(order.id), "events as they are written", "TypeError")]


def test_a_reservation_of_what_is_over_is_found(order: Order) -> None:
    tamper("UPDATE orders_order SET reserved = reserved + 1 WHERE id = %s", order.id)
    assert found(*CHECKS) == [
        ("orders_order", str(order.id), "reserved 1900.47", "reserved 1901.47"),
        ("orders_order", str(order.id), "1900.47 reserved", "1901.47 reserved"),
    ]


def test_an_altered_position_is_found(order: Order) -> None:
    tamper("UPDATE orders_position SET quantity = 11")
    with snapshot_scope():
        position = Position.objects.get()
    expected, there = "10 at 190.047, 0 realised, version 3", "11 at 190.047, 0 realised, version 3"
    assert found(*CHECKS) == [("orders_position", str(position.id), expected, there)]


def test_a_deleted_position_is_found(order: Order) -> None:
    tamper("DELETE FROM orders_position")
    assert found(*CHECKS) == [("orders_position", "", "10 at 190.047, 0 realised, version 3", "no position")]


def test_an_altered_fill_fits_neither_its_order_nor_its_position(order: Order, fills: list[Fill]) -> None:
    tamper("UPDATE orders_fill SET quantity = 2 WHERE id = %s", fills[0].id)
    assert [(table, row) for table, row, _expected, _found in found(*CHECKS)] == [
        ("orders_order", str(order.id)),
        *[("orders_fill", str(fill.id)) for fill in fills],
    ]


def test_a_deleted_fill_is_missed_by_order_and_position(order: Order, fills: list[Fill]) -> None:
    tamper("DELETE FROM orders_fill WHERE id = %s", fills[2].id)
    assert [(table, expected, there) for table, _row, expected, there in found(*CHECKS)] == [
        ("orders_order", "6 filled", "10 filled"),
        ("orders_position", "6 at 190.085, 0 realised, version 2", "10 at 190.047, 0 realised, version 3"),
    ]


def test_neighbours_whose_ids_stand_the_other_way_round_are_no_finding(order: Order, fills: list[Fill]) -> None:
    first, second = fills[0].id, fills[1].id
    with snapshot_scope():
        events = {event.data["fill"]["id"]: event.id for event in OrderEvent.objects.filter(data__has_key="fill")}
    spare = "00000000-0000-7000-8000-000000000000"
    for old, new in ((first, spare), (second, first), (spare, second)):
        tamper("UPDATE orders_fill SET id = %s WHERE id = %s", new, old)
    for old, new in ((first, second), (second, first)):
        tamper(
            "UPDATE orders_orderevent SET data = jsonb_set(data, '{fill,id}', to_jsonb(%s::text)) WHERE id = %s",
            str(new),
            events[str(old)],
        )
    assert looked_at("orders.positions") == 3


def test_an_answer_that_names_an_order_which_is_not_there_is_found(floor: Floor, order: Order) -> None:
    keep(floor, "good", order.id, as_told(order, {}))
    bad = keep(floor, "bad", floor.account.id, b"{}")
    [(table, _row, expected, there)] = found(*CHECKS)
    assert (table, expected, there) == ("idempotency_record", f"an order at {bad}", "none")


@pytest.mark.parametrize(("body", "told"), [(b'{"id": "another"}', "another"), (b"{}", "none"), (b"\xff", "none")])
def test_an_answer_that_tells_of_something_else_is_found(floor: Floor, order: Order, body: bytes, told: str) -> None:
    location = keep(floor, "key", order.id, body)
    [(table, _row, expected, there)] = found("orders.answers")
    assert (table, expected, there) == ("idempotency_record", f"the order at {location}", told)


def test_an_answer_that_shows_the_order_otherwise_than_its_event_is_found(floor: Floor, order: Order) -> None:
    keep(floor, "key", order.id, as_told(order, {}))
    assert looked_at("orders.answers") == 1
    for changes, expected, there in (
        ({"limit_price": "191"}, "limit_price 190.25", "limit_price 191"),
        ({"side": "sell", "quantity": "1"}, "side buy, quantity 10", "side sell, quantity 1"),
        ({"status": "filled"}, "status approved", "status filled"),
        ({"version": 99}, "an event of its version", f"order {order.id}, version 99"),
        ({"version": 10**30}, "an event of its version", f"order {order.id}, version {10**30}"),
    ):
        tamper("UPDATE idempotency_record SET body = %s WHERE key = 'key'", as_told(order, changes))
        [finding] = found("orders.answers")
        assert finding[2:] == (expected, there)
    tamper("UPDATE idempotency_record SET body = %s WHERE key = 'key'", as_told(order, {}, sequence=2))
    assert found("orders.answers") == []
    tamper("UPDATE idempotency_record SET body = %s WHERE key = 'key'", b'{"id": "%s"}' % str(order.id).encode())
    [finding] = found("orders.answers")
    assert finding[2:] == ("an event of its version", f"order {order.id}, version None")


def as_told(order: Order, changes: Mapping[str, object], *, sequence: int = 1) -> bytes:
    """Return an answer as intake gives it: what an event of the order tells; but with changes."""
    with snapshot_scope():
        return msgspec.json.encode(OrderEvent.objects.get(order=order, sequence=sequence).data | dict(changes))


def keep(floor: Floor, key: str, order_id: UUID, body: bytes) -> str:
    location = f"/api/v1/orders/{order_id}"
    with write_scope(floor.actor):
        take_key(key=key, fingerprint=b"f" * 32, now=clock.now())
        answer = Answer(status=201, body=body, headers={"Location": location})
        keep_answer(key=key, answer=answer, secret=False, now=clock.now())
    return location


def test_an_opening_counts(floor: Floor, broker: Broker) -> None:
    """A position that was found at the venue begins with what its event says."""
    now = clock.now()
    with write_scope(floor.actor):
        position = Position(
            tenant_id=floor.tenant.id,
            risk_account=floor.risk_account,
            instrument=floor.listing.instrument,
            quantity=Decimal(5),
            average_price=Decimal(100),
            created_at=now,
            updated_at=now,
        )
        position.save(force_insert=True)
        emit(position_opened_event(position), actor=floor.actor, now=now)
    floor.make_order()
    floor.run()
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "10", "190")))
    assert looked_at("orders.positions") == 1

    tamper("UPDATE outbox_event SET data = jsonb_set(data, '{quantity}', '\"6\"') WHERE type = 'position.opened'")
    [(table, _row, expected, there)] = found("orders.positions")
    assert (table, expected) == ("orders_fill", "an event with what it led to from 6 at 100")
    assert there == "its event says 15 at 160"
