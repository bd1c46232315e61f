"""The Alpaca twin's test controls: what they refuse, and orders that are refused on request."""

from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import BrokerClient

pytestmark = pytest.mark.no_database

KEY = "the account's key"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("quote", {}, "symbol"),
    ("quote", {"symbol": "NOPE"}, "symbol"),
    ("quote", {"symbol": "AAPL", "price": 100}, "price"),
    ("quote", {"symbol": "AAPL", "price": "-1"}, "price"),
    ("quote", {"symbol": "AAPL", "bid": "1.00"}, "price"),
    ("quote", {"symbol": "AAPL", "price": "1.00", "bid": "1.00", "ask": "1.00"}, "price"),
    ("quote", {"symbol": "AAPL", "bid": "2.00", "ask": "1.00"}, "bid"),
    ("quote", {"symbol": "AAPL", "price": "0.01"}, "bid"),
    ("quote", {"symbol": "AAPL", "age_seconds": -1}, "age_seconds"),
    ("quote", {"symbol": "AAPL", "halted": "yes"}, "halted"),
    ("quote", {"symbol": "AAPL", "colour": "red"}, "colour"),
    ("market", {"open": 1}, "open"),
    ("market", {"clock_skew_seconds": "5"}, "clock_skew_seconds"),
    ("account", {}, "key_id"),
    ("account", {"key_id": "AKIA"}, "key_id"),
    ("account", {"key_id": KEY, "cash": 5}, "cash"),
    ("account", {"key_id": KEY, "multiplier": 9}, "multiplier"),
    ("account", {"key_id": KEY, "trading_blocked": "no"}, "trading_blocked"),
    ("execution", {"key_id": "nobody"}, "key_id"),
    ("execution", {"symbol": "NOPE"}, "symbol"),
    ("execution", {"fill_ms": -1}, "fill_ms"),
    ("execution", {"parts": 0}, "parts"),
    ("execution", {"hold": "yes"}, "hold"),
    ("execution", {"speed": 1}, "speed"),
    ("refusal", {"status": 200}, "status"),
    ("refusal", {"count": 0}, "count"),
    ("refusal", {"message": 3}, "message"),
    ("order", {"key_id": KEY}, "order_id"),
    ("order", {"key_id": KEY, "order_id": "x"}, "order_id"),
    ("order", {"key_id": KEY, "order_id": "open", "op": "explode"}, "op"),
    ("order", {"key_id": KEY, "order_id": "open", "op": "fill", "qty": "11"}, "qty"),
    ("order", {"key_id": KEY, "order_id": "open", "op": "fill", "price": 3}, "price"),
    ("order", {"key_id": KEY, "order_id": "open", "op": "cancel", "qty": "1"}, "qty"),
    ("order", {"key_id": KEY, "order_id": "over", "op": "cancel"}, "order_id"),
    ("rate", {"limit": -1}, "limit"),
    ("rate", {"key_id": "x", "limit": 5}, "key_id"),
]


@pytest.mark.parametrize(("control", "body", "field"), BAD)
def test_a_control_that_cannot_be_obeyed_is_a_400_that_names_the_field(
    trader: BrokerClient, control: str, body: dict[str, Any], field: str
) -> None:
    ids = {"open": trader.order("AAPL", "buy", "10", limit_price="1.00")["id"]}
    ids["over"] = trader.order("AAPL", "buy", "10", limit_price="1.00")["id"]
    trader.steer("order", order_id=ids["over"], op="reject")
    known = {KEY: trader.key, **ids}
    body = {name: known.get(value, value) for name, value in body.items()}
    before = trader.state()["orders"]
    answer = httpx.post(f"{trader.process.url}/_control/alpaca/{control}", verify=False, json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert trader.state()["orders"] == before


def test_the_next_order_is_refused_on_request(trader: BrokerClient) -> None:
    trader.steer("refusal", symbol="AAPL", status=403, code=40310000, message="insufficient buying power")
    assert trader.order("KO", "buy")["status"] == "pending_new"
    assert trader.refused("AAPL", "buy") == (403, 40310000, "insufficient buying power")
    assert trader.order("AAPL", "buy")["status"] == "pending_new", "once"
    assert len(trader.state()["orders"]) == 2


def test_orders_are_refused_as_often_as_asked_in_every_account(trader: BrokerClient) -> None:
    trader.process.control("POST", "/alpaca/refusal", status=422, code=42210000, message="no", count=2)
    assert [trader.refused("KO", "buy") for _ in range(2)] == [(422, 42210000, "no")] * 2
    assert trader.order("KO", "buy")["status"] == "pending_new"


def test_an_order_can_be_accepted_and_rejected_later(trader: BrokerClient) -> None:
    trader.steer("refusal", later=True)
    placed = trader.order("KO", "buy")
    assert placed["status"] == "pending_new"
    trader.process.advance(1)
    rejected = trader.read(placed["id"])
    assert (rejected["status"], rejected["failed_at"]) == ("rejected", rejected["updated_at"])
    assert trader.state()["account"]["buying_power"] == "2000000"
    trader.process.advance(1)
    assert trader.order("KO", "buy")["status"] == "pending_new"


def test_the_state_is_what_the_wire_shows(trader: BrokerClient) -> None:
    trader.order("AAPL", "buy")
    trader.order("KO", "buy", "5", limit_price="1.00")
    trader.process.advance(1)
    state = trader.state()
    assert state["account"] == trader.get("/v2/account").json()
    assert state["positions"] == trader.get("/v2/positions").json()
    assert state["orders"] == trader.get("/v2/orders", params={"status": "all", "direction": "asc"}).json()
    assert state["activities"] == trader.get("/v2/account/activities", params={"direction": "asc"}).json()
