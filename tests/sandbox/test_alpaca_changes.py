"""Replacing and canceling, and the races of both against fills."""

from typing import Any

import pytest

from tests.sandbox.conftest import BrokerClient, refusal_of

pytestmark = pytest.mark.no_database


@pytest.fixture
def client(trader: BrokerClient) -> BrokerClient:
    """An account in a market that nothing moves but the test."""
    trader.price("AAPL", "99.90", "100.10")
    return trader


def resting(client: BrokerClient, **terms: Any) -> str:
    """Place a buy limit far below the market; return its id once it is new."""
    placed = client.order("AAPL", "buy", limit_price="90.00", time_in_force="gtc", **terms)
    client.process.advance(1)
    assert client.read(placed["id"])["status"] == "new"
    return str(placed["id"])


def cancel(client: BrokerClient, order_id: str) -> int:
    return client.delete(f"/v2/orders/{order_id}").status_code


def replace(client: BrokerClient, order_id: str, **changes: Any) -> dict[str, Any]:
    answer = client.patch(f"/v2/orders/{order_id}", json=changes)
    assert answer.status_code == 200, answer.text
    successor: dict[str, Any] = answer.json()
    return successor


def test_a_cancel_is_pending_before_it_is_done(client: BrokerClient) -> None:
    order_id = resting(client)
    answer = client.delete(f"/v2/orders/{order_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.read(order_id)["status"] == "pending_cancel"
    client.process.advance(1)
    ended = client.read(order_id)
    assert (ended["status"], ended["canceled_at"]) == ("canceled", ended["updated_at"])
    assert client.state()["account"]["buying_power"] == "2000000"


def test_what_is_over_or_under_way_cannot_be_canceled(client: BrokerClient) -> None:
    order_id = resting(client)
    assert cancel(client, order_id) == 204
    answer = client.delete(f"/v2/orders/{order_id}")
    assert refusal_of(answer) == (422, 42210000, 'order is already in "pending_cancel" state')
    client.process.advance(1)
    answer = client.delete(f"/v2/orders/{order_id}")
    assert refusal_of(answer) == (422, 42210000, 'order is already in "canceled" state')
    filled = client.order("AAPL", "buy")["id"]
    client.process.advance(1)
    answer = client.delete(f"/v2/orders/{filled}")
    assert refusal_of(answer) == (422, 42210000, 'order is already in "filled" state')


def test_a_cancel_loses_against_a_fill_that_comes_first(client: BrokerClient) -> None:
    client.steer("execution", cancel_ms=5_000)
    order_id = resting(client)
    assert cancel(client, order_id) == 204
    client.process.advance(1)
    client.price("AAPL", "89.00", "89.20")
    ended = client.read(order_id)
    assert (ended["status"], ended["filled_qty"], ended["canceled_at"]) == ("filled", "10", None)
    client.process.advance(10)
    assert client.read(order_id)["status"] == "filled"


def test_a_part_that_fills_while_a_cancel_is_pending_stays_filled(client: BrokerClient) -> None:
    client.steer("execution", cancel_ms=5_000, parts=5, part_ms=60_000)
    order_id = resting(client)
    assert cancel(client, order_id) == 204
    client.price("AAPL", "89.00", "89.20")
    part = client.read(order_id)
    assert (part["status"], part["filled_qty"]) == ("pending_cancel", "2")
    client.process.advance(10)
    ended = client.read(order_id)
    assert (ended["status"], ended["filled_qty"], ended["filled_avg_price"]) == ("canceled", "2", "89.2")
    assert client.get("/v2/positions/AAPL").json()["qty"] == "2"


def test_a_cancel_wins_when_the_fill_would_come_later(client: BrokerClient) -> None:
    client.steer("execution", fill_ms=5_000, cancel_ms=1_000)
    order_id = client.order("AAPL", "buy")["id"]
    assert cancel(client, order_id) == 204
    client.process.advance(60)
    ended = client.read(order_id)
    assert (ended["status"], ended["filled_qty"]) == ("canceled", "0")


def test_all_open_orders_are_canceled_at_once(client: BrokerClient) -> None:
    ids = [resting(client) for _ in range(3)]
    assert cancel(client, ids[0]) == 204
    answer = client.delete("/v2/orders")
    assert answer.status_code == 207
    assert answer.json() == [
        {"id": ids[0], "status": 422},
        {"id": ids[1], "status": 200},
        {"id": ids[2], "status": 200},
    ]
    client.process.advance(1)
    assert [row["status"] for row in client.state()["orders"]] == ["canceled"] * 3
    assert client.delete("/v2/orders").json() == []


def test_a_replaced_order_gives_way_to_a_new_one(client: BrokerClient) -> None:
    old_id = resting(client)
    successor = replace(client, old_id, limit_price="91.00", qty="12", client_order_id="second")
    assert successor["id"] != old_id
    assert (successor["replaces"], successor["status"]) == (old_id, "accepted")
    assert (successor["limit_price"], successor["qty"], successor["client_order_id"]) == ("91", "12", "second")
    old = client.read(old_id)
    assert (old["status"], old["replaced_by"], old["replaced_at"]) == ("pending_replace", successor["id"], None)
    client.process.advance(1)
    old = client.read(old_id)
    assert (old["status"], old["replaced_by"], old["limit_price"]) == ("replaced", successor["id"], "90")
    assert old["replaced_at"] == old["updated_at"]
    assert client.read(successor["id"])["status"] == "new"
    client.price("AAPL", "90.80", "90.90")
    assert client.read(successor["id"])["filled_avg_price"] == "90.9"
    assert client.get("/v2/positions/AAPL").json()["qty"] == "12"


def test_what_replaces_a_part_filled_order_is_for_the_rest(client: BrokerClient) -> None:
    client.steer("execution", parts=5, part_ms=600_000)
    old_id = client.order("AAPL", "buy", limit_price="100.10")["id"]
    client.process.advance(1)
    assert client.read(old_id)["filled_qty"] == "2"
    successor = replace(client, old_id, limit_price="101.00")
    assert (successor["qty"], successor["filled_qty"]) == ("8", "0")
    client.steer("execution", parts=1)
    client.process.advance(1)
    assert client.read(old_id)["status"] == "replaced"
    assert client.read(successor["id"])["filled_qty"] == "8"
    assert client.get("/v2/positions/AAPL").json()["qty"] == "10"


def test_a_replace_loses_against_a_fill_that_comes_first(client: BrokerClient) -> None:
    client.steer("execution", replace_ms=5_000)
    old_id = resting(client)
    successor = replace(client, old_id, limit_price="91.00")
    client.price("AAPL", "89.00", "89.20")
    old = client.read(old_id)
    assert (old["status"], old["filled_qty"], old["replaced_by"]) == ("filled", "10", None)
    rejected = client.read(successor["id"])
    assert (rejected["status"], rejected["failed_at"]) == ("rejected", rejected["updated_at"])
    client.process.advance(10)
    assert client.get("/v2/positions/AAPL").json()["qty"] == "10"


def test_during_a_replace_neither_order_can_be_canceled_or_replaced(client: BrokerClient) -> None:
    client.steer("execution", replace_ms=5_000)
    old_id = resting(client)
    successor_id = replace(client, old_id, limit_price="91.00")["id"]
    for order_id in (old_id, successor_id):
        answer = client.delete(f"/v2/orders/{order_id}")
        assert refusal_of(answer) == (422, 42210000, 'order is already in "pending_replace" state')
        assert client.patch(f"/v2/orders/{order_id}", json={"qty": "3"}).status_code == 422
    assert len(client.state()["orders"]) == 2
    client.process.advance(10)
    assert client.read(successor_id)["status"] == "new"


def test_an_order_cannot_be_replaced_while_it_is_being_canceled_or_when_it_is_over(client: BrokerClient) -> None:
    order_id = resting(client)
    assert cancel(client, order_id) == 204
    answer = client.patch(f"/v2/orders/{order_id}", json={"qty": "3"})
    assert refusal_of(answer) == (422, 42210000, "unable to replace order in pending_cancel state")
    client.process.advance(1)
    answer = client.patch(f"/v2/orders/{order_id}", json={"qty": "3"})
    assert refusal_of(answer) == (422, 42210000, 'order is already in "canceled" state')
    assert len(client.state()["orders"]) == 1


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, (422, 42210000, "order parameters are not changed")),
        ({"limit_price": "90.00"}, (422, 42210000, "order parameters are not changed")),
        ({"stop_price": "80.00"}, (422, 40010001, "limit orders must not have a stop price")),
        ({"qty": "0"}, (422, 40010001, "qty must be > 0")),
        ({"time_in_force": "opg"}, (422, 40010001, "invalid time_in_force")),
        ({"qty": "11", "client_order_id": "taken"}, (422, 40010001, "client_order_id must be unique")),
    ],
)
def test_a_replace_that_cannot_be_changes_nothing(
    client: BrokerClient, changes: dict[str, Any], refusal: tuple[int, int, str]
) -> None:
    order_id = resting(client, client_order_id="taken")
    before = client.state()["orders"]
    assert refusal_of(client.patch(f"/v2/orders/{order_id}", json=changes)) == refusal
    assert client.state()["orders"] == before


def test_two_orders_in_a_replace_tie_up_what_the_larger_one_does(client: BrokerClient) -> None:
    client.steer("execution", replace_ms=5_000)
    power = lambda: float(client.get("/v2/account").json()["buying_power"])  # noqa: E731
    first = resting(client)
    assert power() == 2_000_000 - 900
    larger = replace(client, first, qty="20")["id"]
    assert power() == 2_000_000 - 1_800
    client.process.advance(10)
    assert power() == 2_000_000 - 1_800
    smaller = replace(client, larger, qty="5")["id"]
    assert power() == 2_000_000 - 1_800
    client.process.advance(10)
    assert power() == 2_000_000 - 450
    assert cancel(client, smaller) == 204
    client.process.advance(1)
    assert power() == 2_000_000


def test_an_expiry_during_a_replace_rejects_the_successor(client: BrokerClient) -> None:
    client.steer("execution", replace_ms=3_600_000)
    old_id = client.order("AAPL", "buy", limit_price="90.00")["id"]
    client.process.advance(1)
    successor_id = replace(client, old_id, limit_price="91.00")["id"]
    client.steer("order", order_id=old_id, op="expire")
    assert client.read(old_id)["status"] == "expired"
    assert client.read(successor_id)["status"] == "rejected"
