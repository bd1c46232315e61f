"""Every recording of Alpaca's wire is mapped, or refused for a reviewed reason."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.providers.adapters.alpaca.mapping.assets import map_asset, map_position
from apps.providers.adapters.alpaca.mapping.orders import map_order, order_body
from apps.providers.enums import ErrorCategory
from apps.providers.trading import (
    AssetData,
    ClockData,
    FillData,
    HoldingData,
    MeansData,
    OrderRequest,
    QuoteData,
    TradeUpdate,
    VenueOrder,
)
from apps.providers.transport import Verdict
from apps.providers.types import AccountData, BalanceData, RejectedRow, TransactionData
from tests.providers.alpaca.recordings import MAPPED, REFUSED, SPOKEN, load, names, read

pytestmark = pytest.mark.no_database

FILLS = "alpaca/broker_account_activities_routes__get_activities_for_account_max_items_and_single_request_date"
MOVEMENTS = "alpaca/broker_account_activities_routes__setup_reqmock_for_paginated_account_activities_response"
DOCUMENTED_ORDER = VenueOrder(
    venue_order_id="61e69015-8549-4bfd-b9c3-01e75843f47d",
    client_order_id="eb9e2aaa-f71a-4f51-b5b4-52a6c565dad4",
    symbol="AAPL",
    side="buy",
    type="market",
    limit_price=None,
    stop_price=None,
    time_in_force="day",
    status="accepted",
    pending="none",
    venue_status="accepted",
    quantity=Decimal(1),
    filled_quantity=Decimal(0),
    average_fill_price=None,
    replaces=None,
    replaced_by=None,
    updated_at=datetime(2021, 3, 16, 18, 38, 1, 942282, tzinfo=UTC),
)


def test_every_recording_is_mapped_or_refused_for_a_reason(realdata):
    known = sorted([*MAPPED, *SPOKEN, *REFUSED])
    assert known == sorted(names(realdata))
    assert len(known) == len(set(known))


@pytest.mark.parametrize("name", sorted(MAPPED))
def test_what_is_mapped_leaves_nothing_out(realdata, name):
    results = read(realdata, name)
    assert results
    assert [row.reason for row in results if isinstance(row, RejectedRow)] == []


class TestRefused:
    """Where a mapping would be the one to ask, it refuses by itself."""

    def test_the_first_versions_asset(self, realdata):
        [raw] = load(realdata, "alpaca/legacy_rest__api_2")
        row = map_asset(raw)
        assert isinstance(row, RejectedRow)
        assert (row.entity, row.external_id) == ("asset", "904837e3-3b76-47ec-b432-046db621571b")
        assert row.reason == "Object missing required field `class`"

    def test_the_first_versions_order(self, realdata):
        row = map_order(load(realdata, "alpaca/legacy_rest__orders_3"))
        assert isinstance(row, RejectedRow)
        assert row.reason == "Object missing required field `symbol`"

    def test_the_first_versions_position(self, realdata):
        [raw] = load(realdata, "alpaca/legacy_rest__positions_1")
        row = map_position(raw)
        assert isinstance(row, RejectedRow)
        assert row.reason == "Object missing required field `symbol`"

    def test_a_symbol_with_a_backtick(self, realdata):
        row = map_order(load(realdata, "alpaca/trading_order_routes__get_order_by_id"))
        assert isinstance(row, RejectedRow)
        assert (row.entity, row.external_id) == ("order", DOCUMENTED_ORDER.venue_order_id)
        assert row.reason.endswith("at `$.symbol`")


class TestAccount:
    def test_account_balance_and_means(self, realdata):
        assert read(realdata, "alpaca/trading_account_routes__get_account") == [
            AccountData(
                external_id="e6fe16f3-64a4-4921-8928-cadf02f92f98",
                name="010203ABCD",
                kind="brokerage",
                subtype="margin",
                currency="USD",
                status="open",
                last_four="ABCD",
                institution_name="Alpaca",
                mode="live",
            ),
            BalanceData(
                external_id="e6fe16f3-64a4-4921-8928-cadf02f92f98",
                currency="USD",
                current=Decimal("-23140.2"),
                available=None,
            ),
            MeansData(
                external_id="e6fe16f3-64a4-4921-8928-cadf02f92f98",
                currency="USD",
                equity=Decimal("103820.56"),
                cash=Decimal("-23140.2"),
                buying_power=Decimal("262113.632"),
                is_restricted=False,
            ),
        ]

    def test_clock_in_new_yorks_offset(self, realdata):
        assert read(realdata, "alpaca/broker_misc_routes__get_clock") == [
            ClockData(
                venue_at=datetime(2022, 5, 16, 20, 32, 24, 143736, tzinfo=UTC),
                is_open=False,
                next_open_at=datetime(2022, 5, 17, 13, 30, tzinfo=UTC),
                next_close_at=datetime(2022, 5, 17, 20, 0, tzinfo=UTC),
            )
        ]


class TestActivities:
    def test_fills_move_cash_by_quantity_times_price(self, realdata):
        movements = [row for row in read(realdata, FILLS) if isinstance(row, TransactionData)]
        assert [(row.amount, row.description) for row in movements] == [
            (Decimal("-5210.0834036277"), "Bought 1.792161878 AMZN at 2907.15"),
            (Decimal("-2907.15"), "Bought 1 AMZN at 2907.15"),
            (Decimal("155.44581343676"), "Sold 0.058773239 GOOGL at 2644.84"),
            (Decimal("1673.2799998722"), "Sold 1.998065556 TSLA at 837.45"),
            (Decimal("3349.80"), "Sold 4 TSLA at 837.45"),
        ]
        assert movements[0] == TransactionData(
            external_id="20220304135420903::047e252a-a8a3-4e35-84e2-29814cbf5057",
            amount=Decimal("-5210.0834036277"),
            currency="USD",
            date=date(2022, 3, 4),
            status="posted",
            description="Bought 1.792161878 AMZN at 2907.15",
            category="trade",
        )

    def test_fills_are_executions(self, realdata):
        fills = [row for row in read(realdata, FILLS) if isinstance(row, FillData)]
        assert len(fills) == 5
        assert fills[2] == FillData(
            execution_id="3b8a937c-b1d9-4ebe-ae94-5e0b52c3f350",
            venue_order_id="642695e3-def7-4637-9525-2e7f698ebfc7",
            symbol="GOOGL",
            side="sell",
            quantity=Decimal("0.058773239"),
            price=Decimal("2644.84"),
            fee=Decimal(0),
            filled_at=datetime(2022, 3, 4, 17, 39, 22, 801228, tzinfo=UTC),
        )

    def test_deposits(self, realdata):
        rows = [row for row in read(realdata, MOVEMENTS) if isinstance(row, TransactionData)]
        assert [(row.amount, row.date, row.description, row.category) for row in rows] == [
            (Decimal("33324.35"), date(2022, 4, 19), "Cash deposit", "transfer"),
            (Decimal("29161.91"), date(2022, 4, 19), "Cash deposit", "transfer"),
            (Decimal("-23678.55"), date(2022, 3, 4), "Bought 9 GOOGL at 2630.95", "trade"),
            (Decimal("45850.47"), date(2022, 4, 19), "Cash deposit", "transfer"),
        ]


class TestOrders:
    @pytest.mark.parametrize("name", ["get_order_by_id", "limit_order", "market_order", "replace_order"])
    def test_documented_orders(self, realdata, name):
        terms: dict[str, Any] = {"type": "limit", "limit_price": Decimal(300)} if name == "limit_order" else {}
        assert read(realdata, f"alpaca/trading_order_routes__{name}") == [replace(DOCUMENTED_ORDER, **terms)]

    def test_an_order_for_an_amount_has_no_quantity(self, realdata):
        [order] = read(realdata, "alpaca_streaming/trading_orders_04_response")
        assert (order.status, order.quantity) == ("filled", None)
        assert (order.filled_quantity, order.average_fill_price) == (Decimal("0.0016"), Decimal("23717.854"))

    def test_closing_positions_names_orders_and_refusals(self, realdata):
        order, *refusals = read(realdata, "alpaca/trading_position_routes__close_all_positions")
        assert (order.symbol, order.status, order.venue_status) == ("BTC/USD", "accepted", "pending_new")
        assert refusals == [
            Verdict(category=ErrorCategory.PERMANENT, code="40310000", message=message)
            for message in (
                "insufficient qty available for order (requested: 1000, available: 0)",
                "account is not allowed to short",
            )
        ]

    def test_a_price_finer_than_the_venue_takes(self, realdata):
        assert read(realdata, "alpaca_streaming/trading_orders_00_limit_order") == [
            Verdict(
                category=ErrorCategory.PERMANENT,
                code="42210000",
                message="invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
            )
        ]

    def test_what_we_send_is_what_the_documentation_sends(self, realdata):
        order = OrderRequest(
            client_order_id="ours",
            symbol="ETHUSD",
            side="buy",
            type="market",
            quantity=Decimal("4.125"),
            limit_price=None,
            stop_price=None,
            time_in_force="gtc",
        )
        documented = load(realdata, "alpaca_streaming/trading_orders_02_sample_request")
        assert order_body(order) == {**documented, "client_order_id": "ours"}

    def test_a_fill_in_the_stream(self, realdata):
        assert read(realdata, "alpaca_streaming/trading-api_streaming_08_example") == [
            TradeUpdate(
                event="fill",
                at=datetime(2022, 4, 19, 17, 45, 5, 24917, tzinfo=UTC),
                order=VenueOrder(
                    venue_order_id="a5be8f5e-fdfa-41f5-a644-7a74fe947a8f",
                    client_order_id="4642fd68-d59a-47d7-a9ac-e22f536828d1",
                    symbol="SOLUSD",
                    side="sell",
                    type="market",
                    limit_price=None,
                    stop_price=None,
                    time_in_force="gtc",
                    status="filled",
                    pending="none",
                    venue_status="filled",
                    quantity=Decimal("1790.86"),
                    filled_quantity=Decimal("1790.86"),
                    average_fill_price=Decimal("105.8988475"),
                    replaces=None,
                    replaced_by=None,
                    updated_at=datetime(2022, 4, 19, 17, 45, 5, 27691, tzinfo=UTC),
                ),
                fill=FillData(
                    execution_id="2f63ea93-423d-4169-b3f6-3fdafc10c418",
                    venue_order_id="a5be8f5e-fdfa-41f5-a644-7a74fe947a8f",
                    symbol="SOLUSD",
                    side="sell",
                    quantity=Decimal("1790.86"),
                    price=Decimal("105.8988475"),
                    fee=Decimal(0),
                    filled_at=datetime(2022, 4, 19, 17, 45, 5, 24917, tzinfo=UTC),
                ),
            )
        ]


class TestMarketData:
    def test_latest_quote_of_a_stock(self, realdata):
        assert read(realdata, "alpaca/data_historical_stock_data__get_latest_quote") == [
            QuoteData(
                symbol="AAPL",
                bid=Decimal("161.1"),
                ask=Decimal("161.11"),
                bid_size=Decimal(2),
                ask_size=Decimal(13),
                venue_at=datetime(2022, 3, 18, 14, 2, 43, 651613, tzinfo=UTC),
            )
        ]

    def test_latest_quote_of_a_pair_of_coins(self, realdata):
        assert read(realdata, "alpaca/go_marketdata_TestLatestCryptoQuote_1") == [
            QuoteData(
                symbol="BCH/USD",
                bid=Decimal("564.52"),
                ask=Decimal("565.87"),
                bid_size=Decimal("44.2403"),
                ask_size=Decimal("44.2249"),
                venue_at=datetime(2021, 11, 22, 8, 36, 35, 117454, tzinfo=UTC),
            )
        ]

    def test_a_crossed_quote_is_left_as_it_is(self, realdata):
        rows = read(realdata, "alpaca/data_historical_stock_data__multisymbol_quotes")
        assert [(row.symbol, row.bid, row.ask) for row in rows] == [
            ("AAPL", Decimal("159.52"), Decimal("158.65")),
            ("TSLA", Decimal("840.75"), Decimal(830)),
        ]


class TestAssets:
    def test_an_asset(self, realdata):
        assert read(realdata, "alpaca/broker_watchlist_routes__add_asset_to_watchlist") == [
            AssetData(
                external_id="93f58d0b-6c53-432d-b8ce-2bad264dbd94",
                key="XNAS:AAPL",
                symbol="AAPL",
                name="Apple Inc. Common Stock",
                asset_class="equity",
                currency="USD",
                tradable=True,
                shortable=True,
                fractionable=True,
                minimum_quantity=None,
                quantity_increment=Decimal("0.000000001"),
                price_increment=Decimal("0.0001"),
            )
        ]

    def test_without_a_word_on_fractions_only_whole_shares(self, realdata):
        rows = read(realdata, "alpaca/legacy_rest__watchlists_2")
        assert [(row.key, row.fractionable, row.quantity_increment) for row in rows] == [
            ("XNAS:AMD", False, Decimal(1)),
            ("XNAS:NVDA", False, Decimal(1)),
            ("XNAS:NFLX", False, Decimal(1)),
            ("XNAS:PYPL", False, Decimal(1)),
        ]

    def test_a_position_keeps_eighteen_places(self, realdata):
        assert read(realdata, "alpaca/broker_trading_routes__get_all_accounts_positions") == [
            HoldingData(
                symbol="TSLA",
                external_id="8ccae427-5dd0-45b3-b5fe-7ba5e422c766",
                quantity=Decimal("0.173011547"),
                average_price=Decimal("286.9749783265074366"),
                market_price=Decimal("189.19"),
                market_value=Decimal("32.73205457693"),
                cost_basis=Decimal("49.649984950560522711"),  # 49.6499849505605227113711001112 on the wire
            )
        ]
