"""The official `alpaca-py`, unchanged but for the URL, against the twin."""

import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

with warnings.catch_warnings():
    # alpaca-py still speaks through the legacy client of websockets.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.requests import (
        CryptoLatestQuoteRequest,
        CryptoLatestTradeRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
    )
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import (
        AssetClass,
        AssetExchange,
        AssetStatus,
        OrderSide,
        OrderStatus,
        PositionSide,
        QueryOrderStatus,
        TimeInForce,
        TradeEvent,
    )
    from alpaca.trading.models import NonTradeActivity, TradeActivity, TradeUpdate
    from alpaca.trading.requests import (
        ClosePositionRequest,
        GetAssetsRequest,
        GetCalendarRequest,
        GetOrderByIdRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopLimitOrderRequest,
        StopOrderRequest,
    )
    from alpaca.trading.stream import TradingStream

from tests.sandbox.conftest import BrokerClient

# Its methods are typed as returning models or raw dictionaries; here they return models.
Sdk = Any

pytestmark = [
    pytest.mark.no_database,
    pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:remove second argument of ws_handler:DeprecationWarning"),
]


@pytest.fixture
def client(trader: BrokerClient) -> BrokerClient:
    """An account in a market that nothing moves but the test."""
    trader.price("AAPL", "99.90", "100.10")
    return trader


@pytest.fixture
def trading(client: BrokerClient) -> Iterator[Sdk]:
    found = TradingClient(client.key, client.secret, paper=True, url_override=f"{client.process.url}/alpaca")
    yield found
    found._session.close()


def test_account_and_clock(trading: Sdk) -> None:
    account = trading.get_account()
    assert (account.cash, account.buying_power, account.multiplier) == ("1000000", "2000000", "2")
    clock = trading.get_clock()
    assert clock.is_open is True
    assert abs(clock.timestamp - datetime.now(UTC)) < timedelta(seconds=5)


def test_calendar(trading: Sdk) -> None:
    days = trading.get_calendar(GetCalendarRequest(start=date(2026, 3, 2), end=date(2026, 3, 8)))
    assert [day.date.day for day in days] == [2, 3, 4, 5, 6]
    assert days[0].open == datetime(2026, 3, 2, 9, 30)


def test_assets(trading: Sdk) -> None:
    wanted = GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY, exchange=AssetExchange.ARCA)
    assert sorted(asset.symbol for asset in trading.get_all_assets(wanted)) == ["GLD", "SPY"]
    assert len(trading.get_all_assets()) == 34
    apple = trading.get_asset("AAPL")
    assert (apple.name, apple.shortable, trading.get_asset(apple.id)) == ("Apple Inc. Common Stock", True, apple)
    assert trading.get_asset("BTC/USD").min_order_size == 0.0001


def test_placing_listing_and_finding_orders(trading: Sdk, client: BrokerClient) -> None:
    day = {"side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
    market = trading.submit_order(MarketOrderRequest(symbol="AAPL", qty=3, client_order_id="sdk-market", **day))
    limit = trading.submit_order(LimitOrderRequest(symbol="AAPL", qty=2, limit_price=90.5, **day))
    stop = trading.submit_order(StopOrderRequest(symbol="AAPL", qty=1, stop_price=120, **day))
    stop_limit = trading.submit_order(
        StopLimitOrderRequest(symbol="AAPL", qty=1, stop_price=120, limit_price=121, **day)
    )
    money = trading.submit_order(MarketOrderRequest(symbol="AAPL", notional=55.5, **day))
    assert market.status is OrderStatus.PENDING_NEW
    client.process.advance(1)
    assert trading.get_order_by_client_id("sdk-market").filled_avg_price == "100.1"
    assert trading.get_order_by_id(market.id, GetOrderByIdRequest(nested=True)).status is OrderStatus.FILLED
    assert trading.get_order_by_id(money.id).status is OrderStatus.FILLED
    assert {order.id for order in trading.get_orders()} == {limit.id, stop.id, stop_limit.id}
    query = GetOrdersRequest(
        status=QueryOrderStatus.CLOSED, symbols=["AAPL"], limit=10, side=OrderSide.BUY, after=market.submitted_at
    )
    assert [order.id for order in trading.get_orders(query)] == [money.id]


def test_errors_carry_alpacas_codes(trading: Sdk) -> None:
    order = MarketOrderRequest(
        symbol="KO", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="sdk-twice"
    )
    trading.submit_order(order)
    with pytest.raises(APIError) as raised:
        trading.submit_order(order)
    assert (raised.value.status_code, raised.value.code) == (422, 40010001)
    assert raised.value.message == "client_order_id must be unique"


def test_replacing_and_canceling(trading: Sdk, client: BrokerClient) -> None:
    order = LimitOrderRequest(symbol="AAPL", qty=2, limit_price=90.5, side=OrderSide.BUY, time_in_force=TimeInForce.GTC)
    old = trading.submit_order(order)
    client.process.advance(1)
    successor = trading.replace_order_by_id(old.id, ReplaceOrderRequest(qty=4, limit_price=91.25))
    assert (successor.replaces, successor.qty, successor.limit_price) == (old.id, "4", "91.25")
    client.process.advance(1)
    assert trading.get_order_by_id(old.id).status is OrderStatus.REPLACED
    trading.cancel_order_by_id(successor.id)
    client.process.advance(1)
    assert trading.get_order_by_id(successor.id).status is OrderStatus.CANCELED
    trading.submit_order(order)
    (answer,) = trading.cancel_orders()
    assert answer.status == 200


def test_positions_are_read_and_closed(trading: Sdk, client: BrokerClient) -> None:
    for symbol, side in (("AAPL", OrderSide.BUY), ("MSFT", OrderSide.SELL)):
        trading.submit_order(MarketOrderRequest(symbol=symbol, qty=10, side=side, time_in_force=TimeInForce.DAY))
    client.process.advance(1)
    apple = trading.get_open_position("AAPL")
    assert (apple.qty, apple.side, apple.avg_entry_price) == ("10", PositionSide.LONG, "100.1")
    assert {position.symbol for position in trading.get_all_positions()} == {"AAPL", "MSFT"}
    order = trading.close_position("AAPL", ClosePositionRequest(qty="4"))
    assert (order.qty, order.side) == ("4", OrderSide.SELL)
    client.process.advance(1)
    answers = trading.close_all_positions(cancel_orders=True)
    assert sorted((answer.symbol, answer.status) for answer in answers) == [("AAPL", 200), ("MSFT", 200)]
    client.process.advance(1)
    assert trading.get_all_positions() == []


def test_activities(trading: Sdk, client: BrokerClient) -> None:
    trading.submit_order(MarketOrderRequest(symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
    client.process.advance(1)
    account_id = trading.get_account().id
    (fill,) = trading.get("/account/activities/FILL")
    activity = TradeActivity(**fill, account_id=account_id)
    assert (activity.price, activity.qty, activity.order_status) == (100.1, 1.0, OrderStatus.FILLED)
    (deposit,) = trading.get("/account/activities", {"activity_types": "CSD"})
    assert NonTradeActivity(**deposit, account_id=account_id).net_amount == 1_000_000


def test_latest_quotes_and_trades(client: BrokerClient) -> None:
    url = f"{client.process.url}/alpaca"
    stocks: Sdk = StockHistoricalDataClient(client.key, client.secret, url_override=url)
    quote = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "MSFT"]))["AAPL"]
    assert (quote.bid_price, quote.ask_price) == (99.9, 100.1)
    assert abs(quote.timestamp - datetime.now(UTC)) < timedelta(seconds=5)
    trade = stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert Decimal(str(trade.price)) == 100
    coins: Sdk = CryptoHistoricalDataClient(client.key, client.secret, url_override=url)
    bitcoin = coins.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"]
    traded = coins.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"]
    assert bitcoin.bid_price < traded.price < bitcoin.ask_price
    stocks._session.close()
    coins._session.close()


class Follower:
    """Run the SDK's stream in a thread and keep what it hears."""

    def __init__(self, client: BrokerClient) -> None:
        url = f"ws://127.0.0.1:{client.process.port}/alpaca/stream"
        self.heard: list[TradeUpdate] = []
        self.process, self.key = client.process, client.key
        self.stream = TradingStream(client.key, client.secret, url_override=url)
        self.stream._reconnect_min_backoff = 0.1
        self.stream.subscribe_trade_updates(self._hear)
        self._thread = threading.Thread(target=self.stream.run)

    async def _hear(self, update: TradeUpdate) -> None:
        self.heard.append(update)

    def __enter__(self) -> "Follower":
        self._thread.start()
        self.wait_connected()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stream.stop()
        self._thread.join(timeout=15)
        assert not self._thread.is_alive()

    def wait_connected(self) -> None:
        deadline = time.monotonic() + 15
        while self.process.alpaca_listeners(self.key) == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def wait(self, count: int) -> list[TradeUpdate]:
        deadline = time.monotonic() + 15
        while len(self.heard) < count:
            assert time.monotonic() < deadline, self.heard
            time.sleep(0.02)
        return self.heard


def test_the_stream_tells_of_fills_and_comes_back_after_a_cut(trading: Sdk, client: BrokerClient) -> None:
    order = MarketOrderRequest(symbol="AAPL", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    with Follower(client) as follower:
        placed = trading.submit_order(order)
        client.process.advance(1)
        fill = follower.wait(3)[2]
        assert [update.event for update in follower.heard] == [TradeEvent.PENDING_NEW, TradeEvent.NEW, TradeEvent.FILL]
        assert (fill.order.id, fill.qty, fill.price, fill.position_qty) == (placed.id, 5.0, 100.1, 5.0)
        client.process.cut_alpaca_streams(client.key)
        follower.wait_connected()
        trading.submit_order(order)
        client.process.advance(1)
        assert follower.wait(6)[5].position_qty == 10.0
