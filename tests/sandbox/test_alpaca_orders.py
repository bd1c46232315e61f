"""Placing and showing orders: what is taken, what is refused with which words, what the lists hold."""

import time
from typing import Any

import pytest

from tests.sandbox.conftest import Broker, refusal_of

pytestmark = pytest.mark.no_database

ORDER_FIELDS = {
    "id", "client_order_id", "created_at", "updated_at", "submitted_at", "filled_at", "expired_at", "canceled_at",
    "failed_at", "replaced_at", "replaced_by", "replaces", "asset_id", "symbol", "asset_class", "notional", "qty",
    "filled_qty", "filled_avg_price", "order_class", "order_type", "type", "side", "position_intent", "time_in_force",
    "limit_price", "stop_price", "status", "extended_hours", "legs", "trail_percent", "trail_price", "hwm", "subtag",
    "source", "expires_at",
}  # fmt: skip


def test_a_market_order_is_pending_new_then_filled_at_the_ask(own_broker: Broker) -> None:
    client = own_broker("market")
    client.price("AAPL", "99.90", "100.10")
    placed = client.order("AAPL", "buy", "5", client_order_id="mine")
    assert set(placed) == ORDER_FIELDS
    assert (placed["status"], placed["qty"], placed["filled_qty"]) == ("pending_new", "5", "0")
    assert (placed["client_order_id"], placed["position_intent"], placed["order_class"]) == ("mine", "buy_to_open", "")
    filled = client.wait(placed["id"], "filled")
    assert (filled["filled_qty"], filled["filled_avg_price"]) == ("5", "100.1")
    assert placed["created_at"] < filled["filled_at"] == filled["updated_at"]
    assert client.get("/v2/orders:by_client_order_id", params={"client_order_id": "mine"}).json() == filled


def test_a_sell_fills_at_the_bid(broker: Broker) -> None:
    client = broker("sell-at-bid")
    client.price("GE", "180.00", "180.20")
    client.wait(client.order("GE", "buy", "3")["id"], "filled")
    sold = client.order("GE", "sell", "3")
    assert sold["position_intent"] == "sell_to_close"
    assert client.wait(sold["id"], "filled")["filled_avg_price"] == "180"


def test_without_a_client_order_id_one_is_made(broker: Broker) -> None:
    client = broker("no-client-id")
    first, second = (client.order("KO", "buy", "1") for _ in range(2))
    assert len({first["client_order_id"], second["client_order_id"], "", None}) == 4


def test_numbers_may_be_sent_as_json_numbers(broker: Broker) -> None:
    client = broker("numbers")
    body = {"symbol": "KO", "side": "buy", "qty": 2, "type": "limit", "limit_price": 1.25, "time_in_force": "gtc"}
    placed = client.post("/v2/orders", json=body).json()
    assert (placed["qty"], placed["limit_price"]) == ("2", "1.25")


def test_a_client_order_id_is_unique_for_ever(broker: Broker) -> None:
    client = broker("unique")
    client.wait(client.order("KO", "buy", "1", client_order_id="once")["id"], "filled")
    again = client.refused("KO", "buy", "1", client_order_id="once")
    assert again == (422, 40010001, "client_order_id must be unique")
    assert len(client.state()["orders"]) == 1
    other = broker("unique-elsewhere")
    assert other.order("KO", "buy", "1", client_order_id="once")["status"] == "pending_new"


REFUSED: list[tuple[dict[str, Any], tuple[int, int, str]]] = [
    ({"symbol": None}, (422, 40010001, "symbol is required")),
    ({"symbol": "XYZQ"}, (422, 42210000, 'asset "XYZQ" not found')),
    ({"symbol": "NOTR"}, (422, 42210000, "asset NOTR is not tradable")),
    ({"symbol": "DEAD"}, (422, 42210000, "asset DEAD is not active")),
    ({"side": None}, (422, 40010001, "side is required")),
    ({"side": "hold"}, (422, 40010001, "invalid side")),
    ({"type": "trailing_stop"}, (422, 40010001, "invalid type")),
    ({"time_in_force": None}, (422, 40010001, "time_in_force is required")),
    ({"time_in_force": "opg"}, (422, 42210000, "opg orders are not simulated: this market has no auctions")),
    ({"qty": None}, (422, 40010001, "qty or notional is required")),
    ({"notional": "100"}, (422, 40010001, "only one of qty or notional is accepted")),
    ({"qty": "-1"}, (422, 40010001, "qty must be > 0")),
    ({"qty": "ten"}, (422, 40010001, "qty must be a number")),
    ({"qty": True}, (422, 40010001, "qty must be a number")),
    ({"qty": "0.5", "time_in_force": "gtc"}, (422, 42210000, "fractional orders must be DAY orders")),
    ({"qty": "0.5", "symbol": "WHOLE"}, (403, 40310000, 'asset "WHOLE" is not fractionable')),
    ({"qty": "1.0000000001"}, (422, 40010001, "qty can have at most 9 decimal places, notional at most 2")),
    ({"type": "limit"}, (422, 40010001, "limit orders require a limit price")),
    ({"type": "stop"}, (422, 40010001, "stop orders require a stop price")),
    ({"limit_price": "10"}, (422, 40010001, "market orders must not have a limit price")),
    (
        {"type": "limit", "limit_price": "290.123"},
        (
            422,
            42210000,
            "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
        ),
    ),
    ({"extended_hours": True}, (422, 42210000, "extended hours order must be DAY limit orders")),
    ({"order_class": "bracket"}, (422, 42210000, "only simple orders are simulated")),
    ({"client_order_id": "x" * 49}, (422, 40010001, "client_order_id must be no more than 48 characters")),
    ({"symbol": "BTC/USD"}, (422, 42210000, "invalid crypto time_in_force")),
    ({"symbol": "BTC/USD", "qty": "0.00001", "time_in_force": "gtc"}, (403, 40310000, "minimal qty of order 0.0001")),
    ({"symbol": "HTB", "side": "sell"}, (422, 42210000, 'asset "HTB" cannot be sold short')),
    ({"side": "sell", "qty": "0.5"}, (422, 42210000, "fractional orders cannot be sold short")),
]


@pytest.mark.parametrize(("change", "refusal"), REFUSED)
def test_an_order_that_cannot_be_is_refused_and_leaves_nothing(
    broker: Broker, change: dict[str, Any], refusal: tuple[int, int, str]
) -> None:
    client = broker("refused")
    body = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "market", "time_in_force": "day", **change}
    assert refusal_of(client.post("/v2/orders", json=body)) == refusal
    state = client.state()
    assert (state["orders"], state["account"]["buying_power"]) == ([], "2000000")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"order"'])
def test_a_body_that_is_no_object_is_a_400(broker: Broker, body: bytes) -> None:
    assert refusal_of(broker("body").post("/v2/orders", content=body))[:2] == (400, 40010000)


def test_fractions_and_amounts_of_money(own_broker: Broker) -> None:
    client = own_broker("fractions")
    client.price("AAPL", "199.00", "200.00")
    part = client.order("AAPL", "buy", "0.25")
    money = client.order("AAPL", "buy", None, notional="150.50")
    assert (money["qty"], money["notional"]) == (None, "150.5")
    assert client.wait(part["id"], "filled")["filled_qty"] == "0.25"
    filled = client.wait(money["id"], "filled")
    assert (filled["filled_qty"], filled["filled_avg_price"], filled["qty"]) == ("0.7525", "200", None)
    assert client.get("/v2/positions/AAPL").json()["qty"] == "1.0025"


def test_selling_the_position_as_an_amount_of_money_does_not_turn_it_round(own_broker: Broker) -> None:
    client = own_broker("round")
    client.price("AAPL", "100.00", "100.00")
    client.wait(client.order("AAPL", "buy", "1")["id"], "filled")
    sell = client.order("AAPL", "sell", None, notional="100")
    client.price("AAPL", "50.00", "50.00")
    assert client.wait(sell["id"], "filled")["filled_qty"] == "1"
    assert client.state()["positions"] == []


def test_crypto_trades_in_fractions_and_gtc(broker: Broker) -> None:
    client = broker("crypto")
    placed = client.order("BTC/USD", "buy", "0.0015", time_in_force="gtc")
    assert (placed["symbol"], placed["asset_class"]) == ("BTC/USD", "crypto")
    client.wait(placed["id"], "filled")
    position = client.get("/v2/positions/BTCUSD").json()
    assert (position["symbol"], position["qty"], position["asset_marginable"]) == ("BTCUSD", "0.0015", False)


def test_unknown_orders_are_404_and_malformed_ids_422(broker: Broker) -> None:
    client = broker("unknown")
    absent = "00000000-0000-4000-8000-000000000000"
    assert refusal_of(client.get(f"/v2/orders/{absent}")) == (404, 40410000, f"order not found for {absent}")
    assert refusal_of(client.delete(f"/v2/orders/{absent}"))[0] == 404
    assert refusal_of(client.patch(f"/v2/orders/{absent}", json={"qty": "1"}))[0] == 404
    assert refusal_of(client.get("/v2/orders/some"))[0] == 422
    found = client.get("/v2/orders:by_client_order_id", params={"client_order_id": "nobody"})
    assert refusal_of(found) == (404, 40410000, "order not found for nobody")
    other = broker("unknown-other").order("KO", "buy", "1")
    assert client.get(f"/v2/orders/{other['id']}").status_code == 404, "another account's order"


def test_lists_filter_by_status_symbol_side_and_time(broker: Broker) -> None:
    client = broker("lists")
    first = client.order("KO", "buy", "1")
    client.wait(first["id"], "filled")
    second = client.order("AAPL", "buy", "1", limit_price="1.00", time_in_force="gtc")
    third = client.order("MSFT", "sell", "1", limit_price="9000.00", time_in_force="gtc")

    def ids(**query: Any) -> list[str]:
        return [row["id"] for row in client.get("/v2/orders", params=query).json()]

    assert ids() == ids(status="open") == [third["id"], second["id"]]
    assert ids(status="closed") == [first["id"]]
    assert ids(status="all", direction="asc") == [first["id"], second["id"], third["id"]]
    assert ids(status="all", limit=1) == [third["id"]]
    assert ids(status="all", symbols="KO,MSFT") == [third["id"], first["id"]]
    assert ids(status="all", symbols="NOPE") == []
    assert ids(status="all", side="buy") == [second["id"], first["id"]]
    assert ids(status="all", after=second["submitted_at"]) == [third["id"]]
    assert ids(status="all", until=second["submitted_at"]) == [first["id"]]
    assert ids(status="all", after=first["submitted_at"], until=third["submitted_at"]) == [second["id"]]
    for wrong in ({"status": "some"}, {"limit": "501"}, {"limit": "x"}, {"after": "yesterday"}, {"direction": "up"}):
        assert client.get("/v2/orders", params=wrong).status_code == 422


def test_paging_through_all_orders_by_time_meets_each_once(broker: Broker) -> None:
    client = broker("paging")
    placed = [client.order("KO", "buy", "1")["id"] for _ in range(25)]
    seen: list[str] = []
    after = "2020-01-01T00:00:00Z"
    while rows := client.get(
        "/v2/orders", params={"status": "all", "limit": 10, "after": after, "direction": "asc"}
    ).json():
        seen += [row["id"] for row in rows]
        after = rows[-1]["submitted_at"]
    assert seen == placed


@pytest.mark.prove
def test_long_histories_do_not_slow_an_account_down(own_broker: Broker) -> None:
    client = own_broker("busy")
    for number in range(800):
        client.order("KO", "buy", "1", limit_price="1.00", client_order_id=f"n{number}")
    started = time.monotonic()
    for _ in range(20):
        assert len(client.get("/v2/orders", params={"limit": 50}).json()) == 50
        client.get("/v2/account").raise_for_status()
        client.order("KO", "buy", "1", limit_price="1.00")
    assert (time.monotonic() - started) / 60 < 0.1, "seconds for one request"
