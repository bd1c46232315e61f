"""Whatever else Alpaca may send, in our terms."""

import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.providers.adapters.alpaca.mapping.accounts import map_account, map_balance, map_clock, map_means
from apps.providers.adapters.alpaca.mapping.activities import map_activity, map_fill
from apps.providers.adapters.alpaca.mapping.assets import map_asset, map_position
from apps.providers.adapters.alpaca.mapping.orders import map_order, map_update, order_body, replacement_body
from apps.providers.adapters.alpaca.mapping.quotes import map_quote
from apps.providers.trading import OrderRequest
from apps.providers.types import RejectedRow, TransactionData

pytestmark = pytest.mark.no_database

ACCOUNT = {
    "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98",
    "account_number": "PA3X",
    "status": "ACTIVE",
    "currency": "USD",
    "cash": "100.50",
    "equity": "250.75",
    "buying_power": "501.5",
    "multiplier": "2",
    "trading_blocked": False,
    "account_blocked": False,
    "trade_suspended_by_user": False,
}
FILL = {
    "id": "20260302093001250::f1",
    "activity_type": "FILL",
    "transaction_time": "2026-03-02T14:30:01.25Z",
    "price": "10.5",
    "qty": "3",
    "side": "buy",
    "symbol": "AAPL",
    "order_id": "o1",
}
MOVEMENT = {"id": "20260302000000000::m1", "activity_type": "CSD", "date": "2026-03-02", "net_amount": "5"}
ASSET = {
    "id": "a1",
    "class": "us_equity",
    "exchange": "NASDAQ",
    "symbol": "AAPL",
    "name": "Apple",
    "status": "active",
    "tradable": True,
    "shortable": True,
    "easy_to_borrow": True,
    "fractionable": True,
}
COIN = {
    "id": "c1",
    "class": "crypto",
    "exchange": "CRYPTO",
    "symbol": "BTC/USD",
    "name": "Bitcoin",
    "status": "active",
    "tradable": True,
    "shortable": False,
    "fractionable": True,
    "min_order_size": "0.0001",
    "min_trade_increment": "0.000000001",
    "price_increment": "1",
}
POSITION = {
    "asset_id": "a1",
    "symbol": "AAPL",
    "qty": "5",
    "side": "long",
    "avg_entry_price": "100.0",
    "market_value": "600.0",
    "cost_basis": "500.0",
    "current_price": "120.0",
}
ORDER = {
    "id": "o1",
    "client_order_id": "ours",
    "symbol": "AAPL",
    "status": "new",
    "updated_at": "2026-03-02T14:30:00Z",
    "filled_qty": "0",
    "qty": "10",
    "filled_avg_price": None,
    "replaces": None,
    "replaced_by": None,
    "side": "buy",
}
UPDATE = {
    "event": "partial_fill",
    "execution_id": "f1",
    "price": "10.5",
    "qty": "3",
    "position_qty": "3",
    "timestamp": "2026-03-02T14:30:01.25Z",
    "order": {**ORDER, "status": "partially_filled", "filled_qty": "3", "filled_avg_price": "10.5"},
}
QUOTE = {"t": "2026-03-02T14:30:00.5Z", "bp": 10.25, "bs": 3, "ap": Decimal("10.3"), "as": 4}


def good(row: Any) -> Any:
    assert not isinstance(row, RejectedRow), row.reason
    return row


def rejected(row: Any) -> RejectedRow:
    assert isinstance(row, RejectedRow)
    return row


class TestAccount:
    def test_paper_is_said(self):
        assert good(map_account(ACCOUNT, mode="paper")).mode == "paper"

    @pytest.mark.parametrize(
        ("status", "expected"), [("ACTIVE", "open"), ("ACCOUNT_UPDATED", "open"), ("ACCOUNT_CLOSED", "closed")]
    )
    def test_status(self, status, expected):
        assert good(map_account({**ACCOUNT, "status": status}, mode="live")).status == expected

    @pytest.mark.parametrize(
        ("multiplier", "subtype"), [("1", "cash"), ("2", "margin"), ("4", "margin"), (4, "margin")]
    )
    def test_margin(self, multiplier, subtype):
        assert good(map_account({**ACCOUNT, "multiplier": multiplier}, mode="live")).subtype == subtype

    def test_another_accounts_balance_is_refused(self):
        row = rejected(map_balance(ACCOUNT, "other"))
        assert (row.entity, row.external_id, row.reason) == ("balance", "other", "It belongs to another account.")


class TestMeans:
    def test_what_restricts(self):
        assert good(map_means(ACCOUNT)).is_restricted is False
        for change in (
            {"status": "INACTIVE"},
            {"trading_blocked": True},
            {"account_blocked": True},
            {"trade_suspended_by_user": True},
        ):
            assert good(map_means({**ACCOUNT, **change})).is_restricted is True

    @pytest.mark.parametrize(
        "name", ["status", "trading_blocked", "account_blocked", "trade_suspended_by_user", "equity", "buying_power"]
    )
    def test_without_a_figure_or_a_flag_nothing_is_known(self, name):
        row = rejected(map_means({key: value for key, value in ACCOUNT.items() if key != name}))
        assert row.reason == f"Object missing required field `{name}`"

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "100000000000000000000", "abc", "", True, None])
    def test_a_figure_that_is_none(self, value):
        rejected(map_means({**ACCOUNT, "equity": value}))

    def test_a_clock_without_a_zone_is_refused(self):
        clock = {"timestamp": "2026-03-02T14:30:00", "is_open": True}
        assert rejected(map_clock(clock)).reason.startswith("Expected `datetime` with a timezone component")


class TestActivities:
    def test_a_trade_belongs_to_new_yorks_day(self):
        late = {**FILL, "transaction_time": "2026-03-03T03:30:00Z"}
        assert good(map_activity(late, "USD")).date == date(2026, 3, 2)

    @pytest.mark.parametrize(
        ("side", "amount", "description"),
        [
            ("buy", Decimal("-31.5"), "Bought 3 AAPL at 10.5"),
            ("sell", Decimal("31.5"), "Sold 3 AAPL at 10.5"),
            ("sell_short", Decimal("31.5"), "Sold 3 AAPL at 10.5"),
        ],
    )
    def test_sides(self, side, amount, description):
        row = map_activity({**FILL, "side": side}, "USD")
        assert isinstance(row, TransactionData)
        assert (row.amount, row.description) == (amount, description)

    @pytest.mark.parametrize(
        ("change", "amount", "description", "category"),
        [
            ({"activity_type": "CSW", "net_amount": "-7.25"}, "-7.25", "Cash withdrawal", "transfer"),
            ({"activity_type": "DIV", "net_amount": "1.02", "symbol": "T"}, "1.02", "Dividend T", "dividend"),
            ({"activity_type": "DIVNRA", "net_amount": "-0.3", "symbol": "T"}, "-0.3", None, "tax"),
            ({"activity_type": "FEE", "net_amount": "-0.02", "description": "TAF fee"}, "-0.02", "TAF fee", "fee"),
            ({"activity_type": "INT", "net_amount": "-3"}, "-3", "Interest", "interest"),
            ({"activity_type": "NEW", "net_amount": "3", "symbol": "X"}, "3", "NEW X", ""),
            ({"activity_type": "JNLC", "net_amount": 4}, "4", "Cash journal", "transfer"),
        ],
    )
    def test_movements(self, change, amount, description, category):
        row = map_activity({**MOVEMENT, **change}, "EUR")
        assert isinstance(row, TransactionData)
        assert (row.amount, row.currency, row.status, row.category) == (Decimal(amount), "EUR", "posted", category)
        assert description in (None, row.description)

    @pytest.mark.parametrize("status", [None, "executed", "correct"])
    def test_a_posted_movement(self, status):
        assert good(map_activity({**MOVEMENT, "status": status}, "USD")).status == "posted"

    def test_a_status_that_we_do_not_know_is_not_guessed(self):
        rejected(map_activity({**MOVEMENT, "status": "halfway"}, "USD"))

    def test_a_pending_movement(self):
        assert good(map_activity({**MOVEMENT, "status": "pending"}, "USD")).status == "pending"

    def test_a_canceled_movement_stays_and_moves_nothing(self):
        row = map_activity({**MOVEMENT, "status": "canceled"}, "USD")
        assert isinstance(row, TransactionData)
        assert (row.amount, row.status, row.description) == (Decimal(0), "posted", "Cash deposit (canceled)")

    def test_what_moves_no_cash_is_refused_with_its_reason(self):
        split = {key: value for key, value in MOVEMENT.items() if key != "net_amount"} | {"activity_type": "SSP"}
        row = rejected(map_activity(split, "USD"))
        assert (row.entity, row.external_id) == ("transaction", MOVEMENT["id"])
        assert row.reason == "An activity of type SSP without an amount moves no cash."

    def test_an_execution_needs_its_id(self):
        assert rejected(map_fill({**FILL, "id": "20260302"})).reason == "Its id names no execution."
        assert rejected(map_fill(MOVEMENT)).entity == "fill"


class TestAssets:
    @pytest.mark.parametrize(
        ("exchange", "key"),
        [
            ("NASDAQ", "XNAS:AAPL"),
            ("NYSE", "XNYS:AAPL"),
            ("ARCA", "ARCX:AAPL"),
            ("NYSEARCA", "ARCX:AAPL"),
            ("AMEX", "XASE:AAPL"),
            ("BATS", "BATS:AAPL"),
            ("OTC", "OTCM:AAPL"),
        ],
    )
    def test_exchanges(self, exchange, key):
        assert good(map_asset({**ASSET, "exchange": exchange})).key == key

    @pytest.mark.parametrize("exchange", ["", "XETRA", "CRYPTO"])
    def test_an_unknown_exchange_is_refused(self, exchange):
        row = rejected(map_asset({**ASSET, "exchange": exchange}))
        assert (row.entity, row.reason) == ("asset", f"The exchange {exchange!r} is not known.")

    def test_a_coin(self):
        coin = good(map_asset(COIN))
        assert (coin.key, coin.symbol, coin.currency) == ("CRYPTO:BTC-USD", "BTC/USD", "USD")
        assert (coin.minimum_quantity, coin.quantity_increment) == (Decimal("0.0001"), Decimal("0.000000001"))
        assert (coin.price_increment, coin.shortable) == (Decimal(1), False)

    def test_numbers_may_be_numbers(self):
        assert good(map_asset({**COIN, "min_order_size": Decimal("0.0001")})).minimum_quantity == Decimal("0.0001")

    @pytest.mark.parametrize(
        ("change", "tradable"), [({}, True), ({"tradable": False}, False), ({"status": "inactive"}, False)]
    )
    def test_tradable_is_what_is_active_too(self, change, tradable):
        assert good(map_asset({**ASSET, **change})).tradable is tradable

    def test_shortable_is_what_is_easy_to_borrow_too(self):
        assert good(map_asset(ASSET)).shortable is True
        assert good(map_asset({**ASSET, "easy_to_borrow": False})).shortable is False

    def test_whole_shares(self):
        assert good(map_asset({**ASSET, "fractionable": False})).quantity_increment == Decimal(1)

    @pytest.mark.parametrize(
        "change", [{"class": "us_option"}, {"symbol": "AAPL`"}, {"symbol": "aapl"}, {"symbol": "A/B"}, {"symbol": ""}]
    )
    def test_what_is_no_stock(self, change):
        rejected(map_asset({**ASSET, **change}))

    def test_a_pair_needs_both_coins(self):
        rejected(map_asset({**COIN, "symbol": "BTCUSD"}))


class TestPositions:
    @pytest.mark.parametrize(
        ("change", "quantity"),
        [({}, 5), ({"side": "short", "qty": "-5"}, -5), ({"side": "short", "qty": "5"}, -5)],
    )
    def test_a_short_is_negative(self, change, quantity):
        assert good(map_position({**POSITION, **change})).quantity == quantity

    def test_without_a_price(self):
        bare = {**POSITION, "current_price": None, "market_value": None}
        assert (good(map_position(bare)).market_price, good(map_position(bare)).market_value) == (None, None)


class TestOrders:
    @pytest.mark.parametrize(
        ("word", "filled", "status", "pending"),
        [
            ("new", 0, "accepted", "none"),
            ("accepted", 0, "accepted", "none"),
            ("pending_new", 0, "accepted", "none"),
            ("accepted_for_bidding", 0, "accepted", "none"),
            ("stopped", 0, "accepted", "none"),
            ("new", 4, "partially_filled", "none"),
            ("held", 0, "held", "none"),
            ("suspended", 0, "held", "none"),
            ("suspended", 4, "partially_filled", "none"),
            ("pending_review", 0, "held", "none"),
            ("pending_cancel", 0, "accepted", "cancel"),
            ("pending_cancel", 4, "partially_filled", "cancel"),
            ("pending_replace", 0, "accepted", "replace"),
            ("pending_replace", 4, "partially_filled", "replace"),
            ("partially_filled", 4, "partially_filled", "none"),
            ("filled", 10, "filled", "none"),
            ("done_for_day", 4, "done_for_day", "none"),
            ("calculated", 4, "done_for_day", "none"),
            ("calculated", 10, "filled", "none"),
            ("canceled", 4, "canceled", "none"),
            ("expired", 0, "expired", "none"),
            ("replaced", 0, "replaced", "none"),
            ("rejected", 0, "rejected", "none"),
        ],
    )
    def test_states(self, word, filled, status, pending):
        order = good(map_order({**ORDER, "status": word, "filled_qty": str(filled)}))
        assert (order.status, order.pending, order.venue_status) == (status, pending, word)
        assert order.filled_quantity == filled

    @pytest.mark.parametrize("word", ["", "on_fire", "NEW"])
    def test_a_state_that_we_do_not_know_is_not_guessed(self, word):
        row = rejected(map_order({**ORDER, "status": word}))
        assert (row.external_id, row.reason) == ("o1", f"The order state {word!r} is not known.")

    def test_one_that_was_never_changed_is_as_old_as_it_is(self):
        fresh = {**ORDER, "updated_at": None, "created_at": "2026-03-02T14:29:59Z"}
        assert good(map_order(fresh)).updated_at == datetime(2026, 3, 2, 14, 29, 59, tzinfo=UTC)
        assert rejected(map_order({**ORDER, "updated_at": None})).reason == "The order has no time."

    def test_its_terms(self):
        terms = {
            "side": "sell",
            "type": "stop_limit",
            "limit_price": "9.80",
            "stop_price": "9.9",
            "time_in_force": "gtc",
        }
        order = good(map_order({**ORDER, **terms}))
        assert (order.side, order.type, order.time_in_force) == ("sell", "stop_limit", "gtc")
        assert (order.limit_price, order.stop_price) == (Decimal("9.8"), Decimal("9.9"))

    def test_terms_that_are_left_out_are_nobodys(self):
        names = ("side", "type", "limit_price", "stop_price", "time_in_force")
        order = good(map_order({name: value for name, value in ORDER.items() if name not in names}))
        assert (order.side, order.type, order.limit_price, order.stop_price, order.time_in_force) == (
            "",
            "",
            None,
            None,
            "",
        )

    def test_an_average_of_zero_is_none_yet(self):
        assert good(map_order({**ORDER, "filled_avg_price": "0"})).average_fill_price is None

    def test_why_it_was_rejected(self):
        assert good(map_order({**ORDER, "status": "rejected", "reject_reason": "halted"})).reason == "halted"

    def test_what_replaces_what(self):
        order = good(map_order({**ORDER, "status": "replaced", "replaced_by": "o2", "replaces": "o0"}))
        assert (order.replaced_by, order.replaces) == ("o2", "o0")

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"type": "market"}, {}),
            ({"type": "limit", "limit_price": Decimal("1.50E+2")}, {"limit_price": "150"}),
            ({"type": "stop", "stop_price": Decimal("9.90")}, {"stop_price": "9.9"}),
            (
                {"type": "stop_limit", "limit_price": Decimal("9.8"), "stop_price": Decimal("9.9")},
                {"limit_price": "9.8", "stop_price": "9.9"},
            ),
        ],
    )
    def test_bodies(self, change, expected):
        values: dict[str, Any] = {"limit_price": None, "stop_price": None, **change}
        order = OrderRequest(
            client_order_id="ours",
            symbol="AAPL",
            side="sell",
            quantity=Decimal("1.000000001"),
            time_in_force="day",
            **values,
        )
        changeable = {"client_order_id": "ours", "qty": "1.000000001", "time_in_force": "day", **expected}
        assert replacement_body(order) == changeable
        assert order_body(order) == {"symbol": "AAPL", "side": "sell", "type": change["type"], **changeable}


class TestUpdates:
    def test_a_partial_fill(self):
        update = good(map_update(UPDATE))
        assert (update.event, update.order.status, update.order.filled_quantity) == (
            "partial_fill",
            "partially_filled",
            3,
        )
        assert (update.fill.execution_id, update.fill.quantity, update.fill.price) == ("f1", 3, Decimal("10.5"))
        assert update.at == datetime(2026, 3, 2, 14, 30, 1, 250000, tzinfo=UTC)

    @pytest.mark.parametrize(
        "event", ["new", "canceled", "order_cancel_rejected", "order_replace_rejected", "restated"]
    )
    def test_what_is_no_fill_has_none(self, event):
        update = good(map_update({"event": event, "execution_id": "e", "order": ORDER}))
        assert (update.event, update.fill, update.at) == (event, None, update.order.updated_at)

    def test_a_rejection_says_why(self):
        update = good(map_update({"event": "rejected", "order": {**ORDER, "status": "rejected"}, "reason": "halted"}))
        assert (update.order.status, update.order.reason) == ("rejected", "halted")

    @pytest.mark.parametrize("name", ["execution_id", "price", "qty", "timestamp"])
    def test_a_fill_that_cannot_be_read_is_not_half_read(self, name):
        rejected(map_update({key: value for key, value in UPDATE.items() if key != name}))
        rejected(map_update({**UPDATE, name: None}))


class TestQuotes:
    def test_a_side_that_nobody_makes(self):
        quote = good(map_quote("AAPL", {**QUOTE, "ap": 0, "as": 0}))
        assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (Decimal("10.25"), None, 3, None)

    @pytest.mark.parametrize("change", [{"bp": -1}, {"bp": None}, {"ap": "NaN"}, {"t": None}, {"t": "yesterday"}])
    def test_what_is_none(self, change):
        assert rejected(map_quote("AAPL", {**QUOTE, **change})).entity == "quote"


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals()
    | st.text(max_size=20)
    | st.sampled_from(["NaN", "sNaN", "-0", "1e999999", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MAPPINGS = [
    (ACCOUNT, lambda raw: map_account(raw, mode="paper")),
    (ACCOUNT, lambda raw: map_balance(raw, str(ACCOUNT["id"]))),
    (ACCOUNT, map_means),
    ({"timestamp": "2026-03-02T14:30:00Z", "is_open": True, "next_open": None}, map_clock),
    (FILL, lambda raw: map_activity(raw, "USD")),
    (FILL, map_fill),
    (MOVEMENT, lambda raw: map_activity(raw, "USD")),
    (ASSET, map_asset),
    (COIN, map_asset),
    (POSITION, map_position),
    (ORDER, map_order),
    (UPDATE, map_update),
    (QUOTE, lambda raw: map_quote("AAPL", raw)),
]


@given(case=st.sampled_from(MAPPINGS), data=st.data())
def test_nothing_that_is_sent_makes_a_mapping_raise(case, data):
    example, mapping = case
    raw: Any = copy.deepcopy(example)
    for name in data.draw(st.lists(st.sampled_from(sorted(raw)), max_size=3)):
        raw[name] = data.draw(ANY)
    assert mapping(data.draw(st.sampled_from([raw, data.draw(ANY)]))) is not None
