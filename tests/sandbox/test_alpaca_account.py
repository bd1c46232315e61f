"""Money, margin, positions and activities of a paper account."""

from typing import Any

import pytest

from tests.sandbox.conftest import BrokerClient, refusal_of

pytestmark = pytest.mark.no_database


@pytest.fixture
def client(trader: BrokerClient) -> BrokerClient:
    """An account in a market that nothing moves but the test."""
    trader.price("AAPL", "100.00", "100.00")
    return trader


def account(client: BrokerClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v2/account").json()
    return found


def trade(client: BrokerClient, side: str, qty: str, price: str, symbol: str = "AAPL") -> None:
    client.price(symbol, price, price)
    order_id = client.order(symbol, side, qty)["id"]
    client.process.advance(1)
    assert client.read(order_id)["status"] == "filled"


def test_a_new_account_has_its_opening_cash(client: BrokerClient) -> None:
    found = account(client)
    assert (found["cash"], found["equity"], found["buying_power"], found["multiplier"]) == (
        "1000000",
        "1000000",
        "2000000",
        "2",
    )
    assert (found["status"], found["currency"], found["account_blocked"]) == ("ACTIVE", "USD", False)
    (deposit,) = client.get("/v2/account/activities").json()
    assert (deposit["activity_type"], deposit["net_amount"], deposit["status"]) == ("CSD", "1000000", "executed")


def test_keys_are_checked(client: BrokerClient) -> None:
    for headers in (
        {"APCA-API-KEY-ID": ""},
        {"APCA-API-SECRET-KEY": "wrong"},
        {"APCA-API-KEY-ID": "PK000000000000000000"},
        {"APCA-API-KEY-ID": "AK000000000000000000"},
    ):
        answer = client.get("/v2/account", headers=headers)
        assert refusal_of(answer) == (401, 40110000, "request is not authorized")
    bare = client.build_request("GET", "/v2/account")
    del bare.headers["APCA-API-KEY-ID"]
    assert client.send(bare).status_code == 401
    assert client.send(bare, auth=(client.key, client.secret)).status_code == 200


def test_a_purchase_moves_cash_into_the_position(client: BrokerClient) -> None:
    trade(client, "buy", "100", "100.00")
    client.price("AAPL", "110.00", "110.00")
    found = account(client)
    assert found["cash"] == "990000"
    assert (found["long_market_value"], found["equity"]) == ("11000", "1001000")
    assert (found["initial_margin"], found["maintenance_margin"]) == ("5500", "3300")
    assert found["buying_power"] == str((1_001_000 - 5_500) * 2)
    position = client.get("/v2/positions/AAPL").json()
    expected = {
        "symbol": "AAPL",
        "qty": "100",
        "qty_available": "100",
        "side": "long",
        "avg_entry_price": "100",
        "cost_basis": "10000",
        "market_value": "11000",
        "current_price": "110",
        "unrealized_pl": "1000",
        "unrealized_plpc": "0.1",
    }
    assert {name: position[name] for name in expected} == expected
    by_id = client.get(f"/v2/positions/{position['asset_id']}").json()
    assert by_id == position
    assert client.get("/v2/positions").json() == [position]


def test_positions_are_kept_at_average_cost(client: BrokerClient) -> None:
    trade(client, "buy", "10", "100.00")
    trade(client, "buy", "20", "130.00")
    trade(client, "sell", "15", "150.00")
    position = client.get("/v2/positions/AAPL").json()
    assert (position["qty"], position["avg_entry_price"], position["cost_basis"]) == ("15", "120", "1800")
    trade(client, "sell", "15", "90.00")
    assert refusal_of(client.get("/v2/positions/AAPL")) == (404, 40410000, "position does not exist")
    assert account(client)["cash"] == str(1_000_000 - 1_000 - 2_600 + 2_250 + 1_350)


def test_selling_from_nothing_is_a_short_position(client: BrokerClient) -> None:
    placed = client.order("AAPL", "sell", "10")
    assert placed["position_intent"] == "sell_to_open"
    assert account(client)["buying_power"] == str(2_000_000 - 1_030), "3 % above the ask"
    client.process.advance(1)
    client.price("AAPL", "90.00", "90.00")
    position = client.get("/v2/positions/AAPL").json()
    assert (position["qty"], position["side"], position["avg_entry_price"]) == ("-10", "short", "100")
    assert (position["market_value"], position["cost_basis"], position["unrealized_pl"]) == ("-900", "-1000", "100")
    found = account(client)
    assert (found["cash"], found["short_market_value"], found["equity"]) == ("1001000", "-900", "1000100")
    cover = client.order("AAPL", "buy", "10")
    assert cover["position_intent"] == "buy_to_close"
    client.process.advance(1)
    assert (account(client)["cash"], client.get("/v2/positions").json()) == ("1000100", [])


def test_one_order_never_turns_a_position_round(client: BrokerClient) -> None:
    trade(client, "buy", "10", "100.00")
    answer = client.post("/v2/orders", json=client.body("AAPL", "sell", "11"))
    assert (answer.status_code, answer.json()) == (
        403,
        {
            "available": "10",
            "existing_qty": "10",
            "held_for_orders": "0",
            "symbol": "AAPL",
            "code": 40310000,
            "message": "insufficient qty available for order (requested: 11, available: 10)",
        },
    )
    assert len(client.state()["orders"]) == 1


def test_open_sells_hold_their_shares(client: BrokerClient) -> None:
    trade(client, "buy", "10", "100.00")
    held = client.order("AAPL", "sell", "7", limit_price="200.00")
    assert client.get("/v2/positions/AAPL").json()["qty_available"] == "3"
    refusal = client.refused("AAPL", "sell", "4")
    assert refusal == (403, 40310000, "insufficient qty available for order (requested: 4, available: 3)")
    client.delete(f"/v2/orders/{held['id']}")
    client.process.advance(1)
    assert client.get("/v2/positions/AAPL").json()["qty_available"] == "10"
    assert client.order("AAPL", "sell", "10")["status"] == "pending_new"


@pytest.mark.parametrize(
    ("terms", "tied"),
    [
        ({}, "1025"),
        ({"limit_price": "90.00"}, "900"),
        ({"type": "stop", "stop_price": "120.00"}, "1200"),
        ({"type": "stop_limit", "stop_price": "120.00", "limit_price": "125.00"}, "1250"),
    ],
)
def test_open_buys_tie_up_buying_power(client: BrokerClient, terms: dict[str, Any], tied: str) -> None:
    client.order("AAPL", "buy", "10", **terms)
    assert account(client)["buying_power"] == str(2_000_000 - int(tied))


def test_market_buys_of_cheap_stocks_are_valued_four_percent_up(client: BrokerClient) -> None:
    client.price("F", "10.00", "10.00")
    client.order("F", "buy", "100")
    assert account(client)["buying_power"] == "1998960"


def test_a_partial_fill_frees_its_share(client: BrokerClient) -> None:
    client.steer("execution", parts=5, part_ms=600_000)
    client.order("AAPL", "buy", "10", limit_price="100.00")
    client.process.advance(1)
    # 8 at 100 still tied up; 2 bought, half of them margin.
    assert account(client)["buying_power"] == str((1_000_000 - 100) * 2 - 800)


def test_buying_power_is_never_exceeded(client: BrokerClient) -> None:
    client.steer("account", cash="10000")
    client.order("AAPL", "buy", "150", limit_price="100.00")
    answer = client.post("/v2/orders", json=client.body("AAPL", "buy", "51", limit_price="100.00"))
    assert (answer.status_code, answer.json()) == (
        403,
        {"buying_power": "5000", "cost_basis": "5100", "code": 40310000, "message": "insufficient buying power"},
    )
    assert client.order("AAPL", "buy", "50", limit_price="100.00")["status"] == "pending_new"
    assert account(client)["buying_power"] == "0"


def test_crypto_is_bought_with_cash_alone(client: BrokerClient) -> None:
    client.steer("account", cash="10000")
    client.price("ETH/USD", "3000.00", "3000.00")
    body = {"limit_price": "3000.00", "time_in_force": "gtc"}
    assert client.refused("ETH/USD", "buy", "4", **body)[:2] == (403, 40310000)
    assert client.order("ETH/USD", "buy", "3", **body)["status"] == "pending_new"
    assert client.refused("SOL/USD", "sell", "1", time_in_force="gtc")[2].startswith("insufficient qty")


@pytest.mark.parametrize("block", ["trading_blocked", "account_blocked"])
def test_a_blocked_account_places_nothing(client: BrokerClient, block: str) -> None:
    assert client.steer("account", **{block: True})[block] is True
    assert account(client)[block] is True
    assert client.refused("AAPL", "buy") == (403, 40310000, "account is not authorized to trade")
    client.steer("account", **{block: False})
    assert client.order("AAPL", "buy")["status"] == "pending_new"


def test_an_account_without_permission_cannot_short(client: BrokerClient) -> None:
    client.steer("account", shorting_enabled=False)
    assert client.refused("AAPL", "sell") == (403, 40310000, "account is not allowed to short")


def test_cash_that_a_test_moves_is_an_activity(client: BrokerClient) -> None:
    assert client.steer("account", cash="250000.50")["cash"] == "250000.5"
    client.steer("account", cash="300000")
    rows = client.get("/v2/account/activities", params={"activity_types": "CSD,CSW", "direction": "asc"}).json()
    assert [(row["activity_type"], row["net_amount"]) for row in rows] == [
        ("CSD", "1000000"),
        ("CSW", "-749999.5"),
        ("CSD", "49999.5"),
    ]


def test_activities_of_fills_tell_the_execution(client: BrokerClient) -> None:
    trade(client, "buy", "10", "100.00")
    order = client.state()["orders"][0]
    (fill,) = client.get("/v2/account/activities/FILL").json()
    moment, _, execution_id = fill.pop("id").partition("::")
    assert (len(moment), moment.isdigit(), len(execution_id)) == (17, True, 36)
    assert fill == {
        "activity_type": "FILL",
        "transaction_time": order["filled_at"],
        "type": "fill",
        "price": "100",
        "qty": "10",
        "side": "buy",
        "symbol": "AAPL",
        "leaves_qty": "0",
        "order_id": order["id"],
        "cum_qty": "10",
        "order_status": "filled",
    }


def test_activities_come_in_pages(client: BrokerClient) -> None:
    for _ in range(7):
        trade(client, "buy", "1", "100.00")
    whole = client.get("/v2/account/activities").json()
    assert len(whole) == 8
    for direction, expected in (("desc", whole), ("asc", whole[::-1])):
        seen: list[dict[str, Any]] = []
        query: dict[str, Any] = {"page_size": 3, "direction": direction}
        while rows := client.get("/v2/account/activities", params=query).json():
            assert len(rows) <= 3
            seen += rows
            query["page_token"] = rows[-1]["id"]
        assert seen == expected
    wrong = client.get("/v2/account/activities", params={"page_token": "x"})
    assert refusal_of(wrong) == (422, 40010001, "invalid page_token")


def test_activities_are_found_by_time(client: BrokerClient) -> None:
    for _ in range(3):
        trade(client, "buy", "1", "100.00")
    rows = client.get("/v2/account/activities/FILL", params={"direction": "asc"}).json()
    middle = rows[1]["transaction_time"]

    def found(**query: str) -> list[str]:
        return [row["id"] for row in client.get("/v2/account/activities/FILL", params=query).json()]

    assert found(after=middle) == [rows[2]["id"]]
    assert found(until=middle) == [rows[0]["id"]]
    today = rows[0]["id"][:8]
    assert len(found(date=f"{today[:4]}-{today[4:6]}-{today[6:]}")) == 3
    assert found(date="2020-01-01") == []


def test_a_position_is_closed_whole_or_in_part(client: BrokerClient) -> None:
    trade(client, "buy", "10", "100.00")
    part = client.delete("/v2/positions/AAPL", params={"qty": "4"}).json()
    assert (part["side"], part["qty"], part["type"], part["position_intent"]) == (
        "sell",
        "4",
        "market",
        "sell_to_close",
    )
    client.process.advance(1)
    share = client.delete("/v2/positions/AAPL", params={"percentage": "50"}).json()
    assert share["qty"] == "3"
    client.process.advance(1)
    rest = client.delete("/v2/positions/AAPL").json()
    assert rest["qty"] == "3"
    client.process.advance(1)
    assert client.get("/v2/positions").json() == []
    assert client.delete("/v2/positions/AAPL").status_code == 404


def test_all_positions_are_closed_and_each_answer_stands_alone(client: BrokerClient) -> None:
    trade(client, "buy", "10", "100.00")
    client.price("MSFT", "400.00", "400.00")
    trade(client, "sell", "5", "400.00", symbol="MSFT")
    client.order("AAPL", "sell", "10", limit_price="500.00", time_in_force="gtc")
    answer = client.delete("/v2/positions")
    assert answer.status_code == 207
    aapl, msft = answer.json()
    assert (aapl["symbol"], aapl["status"]) == ("AAPL", 403)
    assert aapl["body"] == {
        "available": "0",
        "existing_qty": "10",
        "held_for_orders": "10",
        "symbol": "AAPL",
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 10, available: 0)",
    }
    assert (msft["status"], msft["body"]["side"], msft["body"]["qty"]) == (200, "buy", "5")
    client.process.advance(1)
    rows = client.delete("/v2/positions", params={"cancel_orders": "true"}).json()
    assert [(row["symbol"], row["status"]) for row in rows] == [("AAPL", 200)]
    client.process.advance(1)
    assert client.get("/v2/positions").json() == []


def test_labels_are_accounts_of_their_own(client: BrokerClient) -> None:
    trade(client, "buy", "10", "100.00")
    other = client.process.credentials("somebody-else")["alpaca"]
    assert other["key_id"] != client.key
    assert (other["key_id"][:2], len(other["key_id"]), len(other["secret_key"])) == ("PK", 20, 40)
    assert client.process.credentials("somebody-else")["alpaca"] == other
    state = client.process.alpaca_state(other["key_id"])
    assert (state["positions"], state["orders"], state["account"]["cash"]) == ([], [], "1000000")
    assert state["account"]["id"] != account(client)["id"]
