"""What a sync and the market room read, from the sandbox over real HTTP."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import BrokerageAdapter, HoldingsAdapter, MarketDataAdapter
from apps.providers.trading import AssetData, HoldingData
from apps.providers.types import AccountData, BalanceData, Page, TransactionData
from tests.providers.alpaca.conftest import Broker, order, wait_for

pytestmark = pytest.mark.no_database


def account_of(broker: Broker) -> AccountData:
    [account] = broker.accounts()
    assert isinstance(account, AccountData)
    return account


def rows_of(pages: list[Page]) -> list[TransactionData]:
    rows = [row for page in pages for row in page.rows]
    assert all(isinstance(row, TransactionData) for row in rows)
    return [row for row in rows if isinstance(row, TransactionData)]


def history(broker: Broker, since: date | None = None) -> list[TransactionData]:
    return rows_of(list(broker.transactions(account_of(broker).external_id, since=since)))


def trade(broker: Broker, symbol: str, quantity: str, side: str = "buy", time_in_force: str = "day") -> None:
    placed = broker.place_order(order(symbol, quantity=Decimal(quantity), side=side, time_in_force=time_in_force))
    wait_for(broker, placed, "filled")


def test_it_is_all_three_adapters(broker):
    holdings: HoldingsAdapter = broker
    brokerage: BrokerageAdapter = broker
    data: MarketDataAdapter = broker
    with holdings, brokerage, data:
        assert len({id(holdings), id(brokerage), id(data)}) == 1


def test_the_account(broker, sandbox, keys):
    truth = sandbox.alpaca_state(keys["key_id"])["account"]
    account = account_of(broker)
    assert account == AccountData(
        external_id=truth["id"],
        name=truth["account_number"],
        kind="brokerage",
        subtype="margin",
        currency="USD",
        status="open",
        last_four=truth["account_number"][-4:],
        institution_name="Alpaca",
        mode="paper",
    )
    assert broker.balance(account.external_id) == BalanceData(
        external_id=truth["id"],
        currency="USD",
        current=Decimal(truth["cash"]),
        available=None,
    )


def test_means_tell_of_a_block(broker, sandbox, keys):
    assert broker.means().is_restricted is False
    sandbox.control("POST", "/alpaca/account", key_id=keys["key_id"], trading_blocked=True)
    means = broker.means()
    assert (means.is_restricted, means.cash, means.buying_power) == (True, Decimal(1_000_000), Decimal(2_000_000))


class TestDrift:
    def test_activities_add_up_to_the_cash_to_the_last_place(self, broker, sandbox, keys):
        trade(broker, "AAPL", "10")
        trade(broker, "MSFT", "0.123456789")
        trade(broker, "BTC/USD", "0.000123457", time_in_force="gtc")
        trade(broker, "AAPL", "3", "sell")
        sandbox.control("POST", "/alpaca/account", key_id=keys["key_id"], cash="123456.78")
        rows = history(broker)
        balance = broker.balance(account_of(broker).external_id)
        assert isinstance(balance, BalanceData)
        assert sum(row.amount for row in rows) == balance.current
        assert [row.category for row in rows] == ["transfer", "trade", "trade", "trade", "trade", "transfer"]
        assert rows[0].description == "Cash withdrawal"
        assert rows[-1] == TransactionData(
            external_id=rows[-1].external_id,
            amount=Decimal(1_000_000),
            currency="USD",
            date=rows[-1].date,
            status="posted",
            description="Cash deposit",
            category="transfer",
        )

    def test_a_short_is_cash_that_came_in(self, broker):
        trade(broker, "KO", "4", "sell")
        [sold, _opening] = history(broker)
        [holding] = broker.positions()
        assert isinstance(holding, HoldingData)
        assert (holding.quantity, holding.quantity * holding.average_price) == (Decimal(-4), -sold.amount)

    def test_prices_do_not_change_the_balance(self, broker, sandbox, keys):
        """A sync that reads more than a page takes the balance before and after, and starts again when they differ."""
        trade(broker, "CSCO", "100")
        account = account_of(broker)
        before, power = broker.balance(account.external_id), broker.means().buying_power
        sandbox.control("POST", "/alpaca/quote", symbol="CSCO", price="48.20")
        try:
            assert broker.means().buying_power != power
            assert broker.balance(account.external_id) == before
        finally:
            sandbox.control("POST", "/alpaca/quote", symbol="CSCO", release=True)


class TestHistory:
    def deposits(self, sandbox, keys, count: int) -> None:
        for number in range(count):
            sandbox.control("POST", "/alpaca/account", key_id=keys["key_id"], cash=str(2_000_000 + number))

    def test_pages_follow_each_other_to_the_end(self, broker, sandbox, keys):
        self.deposits(sandbox, keys, 230)
        pages = list(broker.transactions(account_of(broker).external_id, since=None))
        assert [len(page.rows) for page in pages] == [100, 100, 31]
        rows = rows_of(pages)
        assert len({row.external_id for row in rows}) == 231
        assert sum(row.amount for row in rows) == Decimal(2_000_229)

    @pytest.mark.parametrize("kind", ["duplicate", "reorder"])
    def test_pages_in_disorder_lose_nothing(self, broker, sandbox, keys, kind):
        self.deposits(sandbox, keys, 230)
        expected = {row.external_id for row in history(broker)}
        sandbox.fault(kind, provider="alpaca", count=2, match="GET /v2/account/activities")
        assert {row.external_id for row in history(broker)} == expected

    def test_since_bounds_what_is_read(self, broker, sandbox, keys):
        self.deposits(sandbox, keys, 150)
        before = len([call for call in sandbox.log("alpaca") if call["path"] == "/v2/account/activities"])
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        assert history(broker, since=tomorrow) == []
        calls = [call for call in sandbox.log("alpaca") if call["path"] == "/v2/account/activities"][before:]
        assert len(calls) == 1
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        assert len(history(broker, since=yesterday)) == 151

    def test_another_account_is_not_this_keys(self, broker):
        with pytest.raises(ProviderError) as caught:
            list(broker.transactions("other", since=None))
        assert caught.value.code == "malformed_answer"

    @pytest.mark.parametrize("kind", ["status:502", "status:504", "throttle", "malformed", "drop_response"])
    def test_a_passing_fault_is_hidden(self, broker, sandbox, kind):
        for match in ("GET /v2/account", "GET /v2/account/activities", "GET /v2/positions"):
            sandbox.fault(kind, provider="alpaca", count=1, match=match)
        account = account_of(broker)
        assert broker.balance(account.external_id) == BalanceData(
            external_id=account.external_id,
            currency="USD",
            current=Decimal(1_000_000),
            available=None,
        )
        assert len(history(broker)) == 1
        assert broker.holdings(account.external_id) == []


class TestMarket:
    def test_assets_have_canonical_keys(self, broker):
        assets = {row.key: row for row in broker.assets() if isinstance(row, AssetData)}
        assert {"XNAS:AAPL", "XNYS:BRK.B", "ARCX:SPY", "BATS:CBOE", "XASE:UTG", "OTCM:PINKY"} <= assets.keys()
        assert assets["CRYPTO:BTC-USD"].symbol == "BTC/USD"
        assert assets["CRYPTO:BTC-USD"].minimum_quantity is not None
        assert assets["XNYS:WHOLE"].quantity_increment == Decimal(1)
        assert assets["XNYS:NOTR"].tradable is False
        assert assets["XNAS:HTB"].shortable is False

    def test_quotes_of_stocks_and_coins_in_one(self, broker, sandbox):
        sandbox.control("POST", "/alpaca/quote", symbol="GLD", bid="247.10", ask="247.15")
        quotes = broker.latest_quotes(["GLD", "BTC/USD", "GLD", "NOSUCH"])
        assert set(quotes) == {"GLD", "BTC/USD"}
        assert (quotes["GLD"].bid, quotes["GLD"].ask) == (Decimal("247.1"), Decimal("247.15"))
        assert abs(datetime.now(UTC) - quotes["BTC/USD"].venue_at) < timedelta(seconds=30)

    def test_a_quote_of_another_time_says_so(self, broker, sandbox):
        sandbox.control("POST", "/alpaca/quote", symbol="TLT", frozen=True, age_seconds=90)
        quote = broker.latest_quotes(["TLT"])["TLT"]
        assert timedelta(seconds=89) < datetime.now(UTC) - quote.venue_at < timedelta(seconds=120)

    def test_no_symbols_no_call(self, broker, sandbox):
        before = len(sandbox.log("alpaca"))
        assert broker.latest_quotes([]) == {}
        assert len(sandbox.log("alpaca")) == before

    def test_the_clock(self, broker, sandbox):
        clock = broker.clock()
        assert clock.is_open is True
        assert abs(datetime.now(UTC) - clock.venue_at) < timedelta(seconds=5)
        sandbox.control("POST", "/alpaca/market", open=False, clock_skew_seconds=30)
        try:
            skewed = broker.clock()
            assert (skewed.is_open, skewed.next_open_at is not None) == (False, True)
            assert timedelta(seconds=25) < skewed.venue_at - datetime.now(UTC) < timedelta(seconds=31)
        finally:
            sandbox.control("POST", "/alpaca/market", open=True, clock_skew_seconds=0)


class TestRefusedKeys:
    def test_a_wrong_secret(self, open_broker, keys):
        with pytest.raises(ProviderError) as caught:
            open_broker({**keys, "secret_key": "wrong"}).accounts()
        assert (caught.value.category, caught.value.code) == (ErrorCategory.AUTH, "credentials_refused")
        assert caught.value.message == (
            "Alpaca refuses the key. Delete the connection and connect again with a valid one."
        )

    def test_the_secret_is_in_no_message(self, open_broker, keys, caplog):
        with pytest.raises(ProviderError) as caught:
            open_broker({**keys, "secret_key": "hunter2hunter2"}).means()
        assert "hunter2" not in f"{caught.value} {caught.value.message} {caplog.text}"
