"""Assets, clock, calendar, latest quotes and trades, and what tests lay over them."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Broker, BrokerClient, refusal_of

pytestmark = pytest.mark.no_database

NANOSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def age_of(stamp: str) -> float:
    """Return how many seconds ago a nanosecond stamp was."""
    assert NANOSECONDS.fullmatch(stamp)
    return time.time() - datetime.fromisoformat(stamp).timestamp()


def wait_for_a_long_minute() -> None:
    """Requests are counted by the minute: do not begin to count at the end of one."""
    while time.time() % 60 > 55:
        time.sleep(0.5)


def quote_of(client: BrokerClient, symbol: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v2/stocks/{symbol}/quotes/latest").json()["quote"]
    return found


def test_assets_are_listed_by_status_class_and_exchange(broker: Broker) -> None:
    client = broker("assets")
    rows = client.get("/v2/assets").json()
    by_symbol = {row["symbol"]: row for row in rows}
    assert len(rows) == len(by_symbol) == len({row["id"] for row in rows}) == 34
    assert {row["exchange"] for row in rows} == {"NASDAQ", "NYSE", "ARCA", "AMEX", "BATS", "OTC", "CRYPTO"}
    assert by_symbol["DEAD"]["status"] == "inactive"
    assert by_symbol["NOTR"]["tradable"] is False
    assert by_symbol["HTB"]["shortable"] is False
    assert by_symbol["WHOLE"]["fractionable"] is False

    def symbols(**query: str) -> set[str]:
        return {row["symbol"] for row in client.get("/v2/assets", params=query).json()}

    assert symbols(status="inactive") == {"DEAD"}
    assert symbols(asset_class="crypto") == {"BTC/USD", "ETH/USD", "SOL/USD"}
    assert symbols(exchange="OTC") == {"PINKY"}
    assert symbols(status="active", asset_class="us_equity", exchange="ARCA") == {"SPY", "GLD"}


def test_an_asset_is_found_by_symbol_and_id(broker: Broker) -> None:
    client = broker("asset")
    apple = client.get("/v2/assets/AAPL").json()
    assert apple["id"] == "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415", "as in Alpaca's documentation"
    assert client.get(f"/v2/assets/{apple['id']}").json() == apple
    coin = client.get("/v2/assets/BTC/USD").json()
    assert client.get("/v2/assets/BTC%2FUSD").json() == client.get("/v2/assets/BTCUSD").json() == coin
    assert (coin["class"], coin["min_order_size"], coin["price_increment"]) == ("crypto", "0.0001", "0.01")
    assert refusal_of(client.get("/v2/assets/NOPE")) == (404, 40410000, "asset not found for NOPE")


def test_the_clock_is_real_and_the_market_open_at_any_hour(trader: BrokerClient) -> None:
    trader.process.advance(5 * 86_400)
    clock = trader.get("/v2/clock").json()
    moment = datetime.fromisoformat(clock["timestamp"])
    assert abs(time.time() - moment.timestamp()) < 5, "however far the sandbox's own clock was advanced"
    assert clock["timestamp"][-6:] in ("-04:00", "-05:00")
    assert clock["is_open"] is True
    assert moment < datetime.fromisoformat(clock["next_close"]) <= moment + timedelta(days=1, hours=1)
    trader.process.control("POST", "/alpaca/market", open=False)
    closed = trader.get("/v2/clock").json()
    opening, closing = (datetime.fromisoformat(closed[name]) for name in ("next_open", "next_close"))
    assert closed["is_open"] is False
    assert moment < opening < closing == opening + timedelta(hours=6, minutes=30)


def test_the_venues_clock_can_be_wrong(trader: BrokerClient) -> None:
    trader.process.control("POST", "/alpaca/market", clock_skew_seconds=-90)
    moment = datetime.fromisoformat(trader.get("/v2/clock").json()["timestamp"])
    assert 85 < time.time() - moment.timestamp() < 95


def test_the_calendar_lists_working_days(broker: Broker) -> None:
    client = broker("calendar")
    rows = client.get("/v2/calendar", params={"start": "2026-03-06", "end": "2026-03-10"}).json()
    assert [row["date"] for row in rows] == ["2026-03-06", "2026-03-09", "2026-03-10"]
    assert {(row["open"], row["close"]) for row in rows} == {("09:30", "16:00")}
    assert rows[0]["settlement_date"] == "2026-03-09"
    assert client.get("/v2/calendar", params={"start": "soon"}).status_code == 422


def test_latest_quotes_and_trades_have_alpacas_shape(broker: Broker) -> None:
    client = broker("latest")
    quotes = client.get("/v2/stocks/quotes/latest", params={"symbols": "AAPL,MSFT,NOPE"}).json()["quotes"]
    assert set(quotes) == {"AAPL", "MSFT"}
    assert set(quotes["AAPL"]) == {"t", "ax", "ap", "as", "bx", "bp", "bs", "c", "z"}
    assert -1 < age_of(quotes["AAPL"]["t"]) < 5
    trades = client.get("/v2/stocks/trades/latest", params={"symbols": "SPY"}).json()["trades"]
    assert set(trades["SPY"]) == {"t", "x", "p", "s", "c", "i", "z"}
    single = client.get("/v2/stocks/SPY/trades/latest").json()
    assert (single["symbol"], set(single["trade"])) == ("SPY", set(trades["SPY"]))
    assert client.get("/v2/stocks/NOPE/quotes/latest").status_code == 404
    assert client.get("/v2/stocks/quotes/latest").status_code == 400


def test_crypto_has_its_own_latest_prices(broker: Broker) -> None:
    client = broker("latest-crypto")
    query = {"symbols": "BTC/USD,AAPL"}
    quotes = client.get("/v1beta3/crypto/us/latest/quotes", params=query).json()["quotes"]
    trades = client.get("/v1beta3/crypto/us/latest/trades", params=query).json()["trades"]
    assert set(quotes["BTC/USD"]) == {"t", "ap", "as", "bp", "bs"}
    assert set(trades["BTC/USD"]) == {"t", "p", "s", "tks", "i"}
    assert set(quotes) == set(trades) == {"BTC/USD"}


def test_a_held_price_is_what_the_market_says(trader: BrokerClient) -> None:
    answer = trader.process.control("POST", "/alpaca/quote", symbol="AAPL", price="250.00")
    assert answer == {"quotes": {"AAPL": {"bid": "249.99", "ask": "250.01"}}}
    trader.process.advance(3_600)
    assert (quote_of(trader, "AAPL")["bp"], quote_of(trader, "AAPL")["ap"]) == (249.99, 250.01)
    assert trader.get("/v2/stocks/AAPL/trades/latest").json()["trade"]["p"] == 250.0
    trader.process.control("POST", "/alpaca/quote", symbol="AAPL", release=True)
    assert quote_of(trader, "AAPL")["bp"] != 249.99


def test_a_frozen_quote_grows_old(trader: BrokerClient) -> None:
    trader.process.control("POST", "/alpaca/quote", symbol="AAPL", age_seconds=300)
    assert 299 < age_of(quote_of(trader, "AAPL")["t"]) < 310
    first = quote_of(trader, "AAPL")["t"]
    assert quote_of(trader, "AAPL")["t"] == first
    assert age_of(quote_of(trader, "MSFT")["t"]) < 5
    trader.process.control("POST", "/alpaca/quote", symbol="AAPL", frozen=False)
    assert age_of(quote_of(trader, "AAPL")["t"]) < 5


def test_a_quoteless_symbol_is_left_out(trader: BrokerClient) -> None:
    trader.process.control("POST", "/alpaca/quote", symbol="AAPL", quoteless=True)
    quotes = trader.get("/v2/stocks/quotes/latest", params={"symbols": "AAPL,MSFT"}).json()["quotes"]
    assert set(quotes) == {"MSFT"}
    assert refusal_of(trader.get("/v2/stocks/AAPL/quotes/latest"))[:2] == (404, 40410000)
    assert refusal_of(trader.get("/v2/stocks/AAPL/trades/latest"))[:2] == (404, 40410000)


def test_every_answer_carries_the_rate_headers(broker: Broker) -> None:
    client = broker("headers")
    wait_for_a_long_minute()
    first, second = client.get("/v2/clock"), client.post("/v2/orders", json={})
    assert second.status_code == 422
    assert first.headers["X-RateLimit-Limit"] == second.headers["X-RateLimit-Limit"] == "10000"
    assert [answer.headers["X-RateLimit-Remaining"] for answer in (first, second)] == ["9999", "9998"]
    reset = int(first.headers["X-RateLimit-Reset"])
    assert 0 <= reset - time.time() <= 60
    assert reset % 60 == 0
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_a_key_over_its_limit_is_throttled_and_nothing_is_done(own_broker: Broker) -> None:
    client, other = own_broker("limited"), own_broker("unlimited")
    client.steer("rate", limit=3)
    wait_for_a_long_minute()
    assert [client.get("/v2/clock").status_code for _ in range(3)] == [200, 200, 200]
    answer = client.post("/v2/orders", json=client.body("KO", "buy", "1"))
    assert refusal_of(answer) == (429, 42910000, "rate limit exceeded")
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("3", "0")
    assert client.state()["orders"] == []
    assert client.process.log("alpaca")[-1]["performed"] is False
    assert other.get("/v2/clock").headers["X-RateLimit-Limit"] == "10000"
    client.steer("rate")
    assert client.get("/v2/clock").status_code == 200


def test_unknown_paths_and_methods_speak_alpacas_shape(broker: Broker) -> None:
    client = broker("paths")
    assert refusal_of(client.get("/v2/watchlists")) == (404, 40410000, "endpoint not found")
    assert refusal_of(client.put("/v2/orders"))[:2] == (405, 40510000)
    assert isinstance(client.get("/v2/nothing"), httpx.Response)


def test_dates_of_the_wire_are_the_real_ones(trader: BrokerClient) -> None:
    order_id = trader.order("KO", "buy", "1")["id"]
    trader.process.advance(40 * 86_400)
    filled = trader.read(order_id)["filled_at"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(filled)) < timedelta(seconds=10)
