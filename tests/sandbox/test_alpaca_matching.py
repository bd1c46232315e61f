"""When and how orders trade: limits, stops, times in force, parts, holds, halts, the end of the day."""

import pytest

from tests.sandbox.conftest import BrokerClient

pytestmark = pytest.mark.no_database

DAY = 86_400


@pytest.fixture
def client(trader: BrokerClient) -> BrokerClient:
    """An account in a market that nothing moves but the test."""
    trader.price("AAPL", "99.90", "100.10")
    return trader


def fills(client: BrokerClient) -> list[tuple[str, str]]:
    """Return quantity and price of every fill, oldest first."""
    return [(row["qty"], row["price"]) for row in client.state()["activities"] if row["activity_type"] == "FILL"]


def test_nothing_happens_while_the_clock_is_held(client: BrokerClient) -> None:
    placed = client.order("AAPL", "buy")
    assert client.read(placed["id"])["status"] == "pending_new"
    client.process.advance(1)
    assert client.read(placed["id"])["status"] == "filled"


def test_an_order_is_new_before_it_is_filled(client: BrokerClient) -> None:
    client.steer("execution", ack_ms=1_000, fill_ms=5_000)
    placed = client.order("AAPL", "buy")
    client.process.advance(2)
    assert client.read(placed["id"])["status"] == "new"
    client.process.advance(2)
    assert client.read(placed["id"])["status"] == "new"
    client.process.advance(2)
    assert client.read(placed["id"])["status"] == "filled"


@pytest.mark.parametrize(
    ("side", "limit", "bid", "ask", "price"),
    [
        ("buy", "100.10", "99.90", "100.10", "100.1"),
        ("buy", "105.00", "99.90", "100.10", "100.1"),
        ("sell", "99.90", "99.90", "100.10", "99.9"),
        ("sell", "95.00", "99.90", "100.10", "99.9"),
    ],
)
def test_a_marketable_limit_fills_at_the_market(
    client: BrokerClient, side: str, limit: str, bid: str, ask: str, price: str
) -> None:
    client.price("AAPL", bid, ask)
    client.order("AAPL", side, limit_price=limit)
    client.process.advance(1)
    assert fills(client) == [("10", price)]


def test_a_limit_waits_for_its_price(client: BrokerClient) -> None:
    buy = client.order("AAPL", "buy", limit_price="95.00")
    sell = client.order("AAPL", "sell", limit_price="105.00")
    client.process.advance(10)
    assert [client.read(order["id"])["status"] for order in (buy, sell)] == ["new", "new"]
    client.price("AAPL", "94.80", "95.00")
    assert client.read(buy["id"])["status"] == "filled"
    client.price("AAPL", "106.00", "106.20")
    assert client.read(sell["id"])["status"] == "filled"
    assert fills(client) == [("10", "95"), ("10", "106")]


def test_a_limit_finds_its_price_as_the_market_moves(trader: BrokerClient) -> None:
    client = trader
    quote = client.get("/v2/stocks/AAPL/quotes/latest").json()["quote"]
    limit = f"{quote['ap'] * 0.99:.2f}"
    placed = client.order("AAPL", "buy", limit_price=limit, time_in_force="gtc")
    client.process.advance(60 * DAY)
    filled = client.read(placed["id"])
    assert filled["status"] == "filled"
    assert float(filled["filled_avg_price"]) <= float(limit)


@pytest.mark.parametrize(
    ("side", "stop", "bid", "ask"), [("buy", "101", "101.50", "101.70"), ("sell", "99", "98", "98.20")]
)
def test_a_stop_is_set_off_by_the_last_price_and_fills_at_the_market(
    client: BrokerClient, side: str, stop: str, bid: str, ask: str
) -> None:
    placed = client.order("AAPL", side, type="stop", stop_price=stop)
    client.process.advance(5)
    assert client.read(placed["id"])["status"] == "new"
    client.price("AAPL", bid, ask)
    assert client.read(placed["id"])["status"] == "filled"
    assert fills(client) == [("10", ask.rstrip("0") if side == "buy" else bid)]


def test_a_stop_limit_that_was_set_off_waits_for_its_limit(client: BrokerClient) -> None:
    placed = client.order("AAPL", "buy", type="stop_limit", stop_price="101.00", limit_price="101.20")
    client.price("AAPL", "102.00", "102.20")
    client.process.advance(5)
    assert client.read(placed["id"])["status"] == "new"
    client.price("AAPL", "100.00", "100.20")
    assert client.read(placed["id"])["status"] == "filled", "below its stop again, yet it stays set off"
    assert fills(client) == [("10", "100.2")]


def test_ioc_takes_what_there_is_and_is_canceled(client: BrokerClient) -> None:
    client.steer("execution", parts=4)
    placed = client.order("AAPL", "buy", time_in_force="ioc")
    client.process.advance(1)
    ended = client.read(placed["id"])
    assert (ended["status"], ended["filled_qty"], ended["filled_avg_price"]) == ("canceled", "2", "100.1")
    assert ended["canceled_at"] is not None


def test_fok_takes_all_or_nothing(client: BrokerClient) -> None:
    whole = client.order("AAPL", "buy", time_in_force="fok")
    client.process.advance(1)
    assert client.read(whole["id"])["status"] == "filled"
    client.steer("execution", parts=4)
    killed = client.order("AAPL", "buy", time_in_force="fok")
    client.process.advance(1)
    ended = client.read(killed["id"])
    assert (ended["status"], ended["filled_qty"]) == ("canceled", "0")


@pytest.mark.parametrize("time_in_force", ["ioc", "fok"])
def test_an_immediate_order_beyond_the_market_is_canceled(client: BrokerClient, time_in_force: str) -> None:
    placed = client.order("AAPL", "buy", limit_price="95.00", time_in_force=time_in_force)
    client.process.advance(1)
    assert client.read(placed["id"])["status"] == "canceled"


def test_parts_come_one_after_the_other_and_add_up(client: BrokerClient) -> None:
    client.steer("execution", symbol="AAPL", parts=3, part_ms=1_000, fill_ms=100)
    placed = client.order("AAPL", "buy")
    seen = []
    for price in ("100.00", "101.00", "102.00"):
        client.price("AAPL", price, price)
        client.process.advance(1)
        order = client.read(placed["id"])
        seen.append((order["status"], order["filled_qty"], order["filled_avg_price"]))
    assert seen == [
        ("partially_filled", "3", "100"),
        ("partially_filled", "6", "100.5"),
        ("filled", "10", "101.1"),
    ]
    assert fills(client) == [("3", "100"), ("3", "101"), ("4", "102")]
    rows = [row for row in client.state()["activities"] if row["activity_type"] == "FILL"]
    assert [(row["type"], row["cum_qty"], row["leaves_qty"]) for row in rows] == [
        ("partial_fill", "3", "7"),
        ("partial_fill", "6", "4"),
        ("fill", "10", "0"),
    ]


def test_a_part_filled_limit_waits_when_the_market_moves_away(client: BrokerClient) -> None:
    client.steer("execution", parts=2, part_ms=1_000)
    placed = client.order("AAPL", "buy", limit_price="100.10")
    client.process.advance(0.5)
    client.price("AAPL", "105.00", "105.20")
    client.process.advance(10)
    assert client.read(placed["id"])["status"] == "partially_filled"
    client.price("AAPL", "99.00", "99.20")
    assert client.read(placed["id"])["filled_avg_price"] == "99.65"


def test_held_orders_fill_when_they_are_let_go(client: BrokerClient) -> None:
    client.steer("execution", hold=True)
    placed = client.order("AAPL", "buy")
    client.process.advance(60)
    assert client.read(placed["id"])["status"] == "new"
    client.steer("execution", hold=False)
    assert client.read(placed["id"])["status"] == "filled"


def test_the_more_exact_rule_wins(client: BrokerClient) -> None:
    client.process.control("POST", "/alpaca/execution", hold=True)
    client.process.control("POST", "/alpaca/execution", symbol="AAPL", hold=False)
    client.steer("execution", symbol="MSFT", hold=False)
    ids = [client.order(symbol, "buy", "1")["id"] for symbol in ("AAPL", "MSFT", "KO")]
    client.process.advance(5)
    assert [client.read(order_id)["status"] for order_id in ids] == ["filled", "filled", "new"]
    client.process.control("DELETE", "/alpaca/execution")
    assert client.read(ids[2])["status"] == "filled"


@pytest.mark.parametrize("laid", [{"halted": True}, {"quoteless": True}])
def test_a_halted_or_quoteless_symbol_does_not_trade(client: BrokerClient, laid: dict[str, bool]) -> None:
    client.process.control("POST", "/alpaca/quote", symbol="AAPL", **laid)
    placed = client.order("AAPL", "buy")
    client.process.advance(60)
    assert client.read(placed["id"])["status"] == "new"
    client.process.control("POST", "/alpaca/quote", symbol="AAPL", **dict.fromkeys(laid, False))
    assert client.read(placed["id"])["status"] == "filled"


def test_a_closed_market_accepts_orders_and_fills_them_when_it_opens(client: BrokerClient) -> None:
    client.process.control("POST", "/alpaca/market", open=False)
    assert client.get("/v2/clock").json()["is_open"] is False
    placed = client.order("AAPL", "buy")
    assert placed["status"] == "accepted"
    client.process.advance(60)
    assert client.read(placed["id"])["status"] == "accepted"
    coin = client.order("ETH/USD", "buy", "1", time_in_force="gtc")
    for time_in_force in ("ioc", "fok"):
        refusal = client.refused("AAPL", "buy", time_in_force=time_in_force)
        assert refusal == (422, 42210000, f"{time_in_force} orders are only accepted during market hours")
    client.process.advance(1)
    assert client.read(coin["id"])["status"] == "filled", "crypto trades around the clock"
    client.process.control("POST", "/alpaca/market", open=True)
    client.process.advance(1)
    assert client.read(placed["id"])["status"] == "filled"


def test_closing_the_market_stops_what_waits(client: BrokerClient) -> None:
    placed = client.order("AAPL", "buy", limit_price="95.00")
    client.process.advance(1)
    client.process.control("POST", "/alpaca/market", open=False)
    client.price("AAPL", "94.00", "94.20")
    assert client.read(placed["id"])["status"] == "new"
    client.process.control("POST", "/alpaca/market", open=True)
    assert client.read(placed["id"])["status"] == "filled"


def test_day_orders_expire_with_the_day_and_gtc_orders_do_not(client: BrokerClient) -> None:
    day = client.order("AAPL", "buy", limit_price="50.00")
    gtc = client.order("AAPL", "buy", limit_price="50.00", time_in_force="gtc")
    client.process.advance(DAY)
    expired = client.read(day["id"])
    assert (expired["status"], expired["expired_at"]) == ("expired", expired["updated_at"])
    assert client.read(gtc["id"])["status"] == "new"
    client.process.advance(91 * DAY)
    assert client.read(gtc["id"])["status"] == "expired"
    assert client.state()["account"]["buying_power"] == "2000000"


def test_a_jump_of_days_lets_things_happen_in_their_order(client: BrokerClient) -> None:
    client.steer("execution", parts=3, part_ms=1_000)
    placed = [client.order("AAPL", "buy") for _ in range(3)]
    expiring = client.order("AAPL", "buy", limit_price="50.00")
    client.process.advance(3 * DAY)
    assert [client.read(order["id"])["status"] for order in placed] == ["filled"] * 3, "before the day ended"
    assert client.read(expiring["id"])["status"] == "expired"
    activities = client.state()["activities"]
    assert len(activities) == 1 + 9
    times = [row["transaction_time"] for row in activities[1:]]
    assert times == sorted(times)


@pytest.mark.parametrize("status", ["done_for_day", "suspended", "stopped", "calculated", "held", "pending_review"])
def test_rare_states_pause_an_order_until_it_is_new_again(client: BrokerClient, status: str) -> None:
    placed = client.order("AAPL", "buy")
    assert client.steer("order", order_id=placed["id"], op=status)["status"] == status
    client.process.advance(5)
    assert (client.read(placed["id"])["status"], client.read(placed["id"])["filled_qty"]) == (status, "0")
    client.steer("order", order_id=placed["id"], op="new")
    assert client.read(placed["id"])["status"] == "filled"


def test_a_test_can_fill_an_order_as_it_likes(client: BrokerClient) -> None:
    client.steer("execution", hold=True)
    placed = client.order("AAPL", "buy")
    part = client.steer("order", order_id=placed["id"], op="fill", qty="4", price="98.50")
    assert (part["status"], part["filled_qty"], part["filled_avg_price"]) == ("partially_filled", "4", "98.5")
    rest = client.steer("order", order_id=placed["id"], op="fill")
    assert (rest["status"], rest["filled_qty"]) == ("filled", "10")
    assert fills(client) == [("4", "98.5"), ("6", "100.1")]


@pytest.mark.parametrize(
    ("op", "status", "stamp"),
    [("expire", "expired", "expired_at"), ("reject", "rejected", "failed_at"), ("cancel", "canceled", "canceled_at")],
)
def test_a_test_can_end_an_order(client: BrokerClient, op: str, status: str, stamp: str) -> None:
    placed = client.order("AAPL", "buy")
    ended = client.steer("order", order_id=placed["id"], op=op)
    assert (ended["status"], ended[stamp]) == (status, ended["updated_at"])
    client.process.advance(60)
    assert client.read(placed["id"]) == ended


def test_prices_move_by_themselves_within_a_second(trader: BrokerClient) -> None:
    seen = set()
    for _ in range(5):
        quote = trader.get("/v2/stocks/SPY/quotes/latest").json()["quote"]
        assert 0 < quote["bp"] < quote["ap"] < quote["bp"] * 1.001
        seen.add((quote["bp"], quote["ap"]))
        trader.process.advance(0.2)
    assert len(seen) >= 3
