"""The gate, check by check: at the limit, one unit beyond it, and what it says then."""

from typing import Any

import pytest
from msgspec.structs import asdict

from apps.orders.enums import OrderType, Outcome, Side
from apps.orders.rules.gate import ALL_PASSED, decide, stale_inputs
from apps.orders.rules.snapshot import Input, Snapshot
from apps.orders.rules.units import ONE, SECOND
from tests.orders.rules.case import GOOD, NOW, judge, proposal, snapshot, units

pytestmark = pytest.mark.no_database

CHECKS = (
    "clock",
    "kill_switch",
    "price",
    "venue_open",
    "instrument",
    "exposure",
    "short_sale",
    "unknown_outcome",
    "restriction",
    "open_trades",
    "position",
    "concentration",
    "buying_power",
    "order_rate",
)


def denied(order: Any = None, **changes: Any) -> tuple[str, str]:
    """Let the gate deny; return code and detail, having seen that nothing is reserved and no rate used up."""
    decision = judge(order, **changes)
    assert (decision.outcome, decision.cost) == (Outcome.DENIED, 0)
    assert decision.rate_reset_at == changes.get("rate_reset_at")
    assert decision.code is not None
    return str(decision.code), decision.detail


def test_a_good_order_passes_every_check_and_reserves_what_it_may_cost():
    decision = judge()
    assert (decision.outcome, decision.code, decision.detail) == (Outcome.APPROVED, None, "")
    assert decision.cost == units(1000)
    assert decision.rate_reset_at == NOW + SECOND
    assert decision.checks is ALL_PASSED
    assert tuple(result.check for result in decision.checks) == CHECKS


def test_the_first_check_that_denies_decides_and_every_check_is_told():
    decision = judge(engaged_switches=("tenant: year-end",), listed=None, equity=None)
    assert (decision.code, decision.detail) == ("kill_switch_engaged", "A kill switch is engaged (tenant: year-end).")
    found = {result.check: result.code for result in decision.checks if result.code}
    assert found == {
        "kill_switch": "kill_switch_engaged",
        "instrument": "instrument_unknown",
        "concentration": "means_unknown",
    }
    assert tuple(result.check for result in decision.checks) == CHECKS


def test_a_gate_that_knows_nothing_denies_everywhere():
    decision = decide(Snapshot(now=NOW), proposal())
    assert decision.code == "clock_unknown"
    assert all(result.code for result in decision.checks)


def test_the_clocks_must_agree_within_the_tolerance():
    at = {"clock_asked_at": NOW - 50_000, "clock_received_at": NOW}
    for told in (NOW - 50_000 - 2 * SECOND, NOW + 2 * SECOND):
        assert judge(None, clock_venue_at=told, **at).outcome == Outcome.APPROVED
    assert denied(clock_venue_at=NOW + 2 * SECOND + 1, **at) == (
        "clock_offset",
        "The venue's clock is 2.000001 s off ours; the limit is 2 s.",
    )
    assert denied(clock_venue_at=NOW - 50_000 - 2 * SECOND - 1, **at) == (
        "clock_offset",
        "The venue's clock is -2.000001 s off ours; the limit is 2 s.",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"clock_asked_at": NOW - 30 * SECOND - 1},
        {"clock_asked_at": NOW + 2 * SECOND + 1, "clock_received_at": NOW + 2 * SECOND + 1},
        {"clock_received_at": NOW + 2 * SECOND + 1},
        {"clock_asked_at": NOW - 10, "clock_received_at": NOW - 20},
        {"clock_turns_at": NOW},
    ],
)
def test_a_clock_read_too_long_ago_or_at_an_impossible_time_is_not_known(changes: dict[str, int]):
    assert denied(**changes)[0] == "clock_unknown"


def test_a_clock_is_good_until_its_age_and_until_the_venue_turns():
    assert judge(clock_asked_at=NOW - 30 * SECOND, clock_venue_at=NOW - 30 * SECOND).outcome == Outcome.APPROVED
    assert judge(clock_turns_at=NOW + 1).outcome == Outcome.APPROVED
    assert judge(clock_turns_at=None).outcome == Outcome.APPROVED


@pytest.mark.parametrize("field", ["quote_venue_at", "quote_received_at"])
def test_a_quote_is_fresh_at_the_venue_and_with_us(field: str):
    assert judge(None, **{field: NOW - 15 * SECOND}).outcome == Outcome.APPROVED
    assert denied(**{field: NOW - 15 * SECOND - 1}) == (
        "price_stale",
        "The quote is 15.000001 s old; the limit is 15 s.",
    )
    assert denied(**{field: NOW + 2 * SECOND + 1})[0] == "price_stale"


@pytest.mark.parametrize(("bid", "ask"), [(101, 100), (0, 100), (-1, 100), (0, 0), (-5, -4)])
def test_a_quote_out_of_order_is_none(bid: int, ask: int):
    code, detail = denied(bid=units(bid), ask=units(ask))
    assert (code, detail) == ("price_unknown", f"The quote {bid} / {ask} is not in order.")


def test_a_locked_quote_is_one():
    assert judge(bid=units(100)).outcome == Outcome.APPROVED


def test_a_closed_venue_denies_all_but_crypto():
    assert denied(clock_is_open=False) == ("venue_closed", "The venue is closed.")
    assert judge(clock_is_open=False, asset_class="crypto").outcome == Outcome.APPROVED


@pytest.mark.parametrize("field", ["listed", "tradable"])
def test_the_venue_must_list_the_instrument_and_let_it_be_traded(field: str):
    assert denied(**{field: False})[0] == "instrument_not_tradable"


def test_what_is_sold_short_must_be_shortable():
    short = proposal(10, Side.SELL)
    assert denied(short, shortable=False, position=units(4)) == (
        "short_not_allowed",
        "6 of 10 would be sold short, which the venue does not allow.",
    )
    assert denied(short, shortable=None)[0] == "short_not_allowed"
    assert judge(short, shortable=True).outcome == Outcome.APPROVED
    assert judge(short, shortable=False, position=units(10)).outcome == Outcome.APPROVED


def test_an_unknown_outcome_bars_new_risk_and_lets_reduce():
    assert denied(unknown_orders=1) == ("outcome_unknown", "Orders without a known outcome: 1.")
    assert judge(proposal(10, Side.SELL), unknown_orders=1, position=units(10)).outcome == Outcome.APPROVED


def test_a_restricted_account_does_not_even_reduce():
    assert denied(is_restricted=True)[0] == "account_restricted"
    assert denied(proposal(10, Side.SELL), is_restricted=True, position=units(10))[0] == "account_restricted"


def test_open_trades_are_distinct_instruments():
    assert judge(other_trades=1).outcome == Outcome.APPROVED
    assert denied(other_trades=2) == ("open_trade_limit", "Open trades would be 3; the limit is 2.")
    for busy in ({"position": units(1)}, {"open_buys": units(1)}, {"open_sells": units(1)}):
        assert judge(None, other_trades=2, **busy).outcome == Outcome.APPROVED


def test_the_position_may_reach_the_limit_and_not_one_unit_more():
    assert judge(proposal(200, limit=100)).outcome == Outcome.APPROVED
    assert denied(proposal(200, limit="100.000000001")) == (
        "position_limit",
        "The position could reach 20000.0000002; the limit is 20000.",
    )
    assert denied(proposal(1, limit=100), position=units(150), open_buys=units(50))[0] == "position_limit"
    assert denied(proposal(1, Side.SELL), position=units(-150), open_sells=units(50))[0] == "position_limit"


def test_concentration_is_a_share_of_equity():
    limits = {"max_position_value": units(10**6), "buying_power": units(10**6)}
    assert judge(proposal(300, limit=100), **limits).outcome == Outcome.APPROVED
    assert denied(proposal(300, limit="100.01"), **limits) == (
        "concentration_limit",
        "The position could reach 30003, a share of 0.30003 of the equity of 100000; the limit is 0.3.",
    )


@pytest.mark.parametrize("equity", [0, -1])
def test_no_equity_is_no_means(equity: int):
    assert denied(equity=equity)[0] == "means_unknown"


def test_means_are_good_until_their_age():
    assert judge(means_as_of=NOW - 30 * SECOND).outcome == Outcome.APPROVED
    assert denied(means_as_of=NOW - 30 * SECOND - 1) == (
        "means_unknown",
        "The account's means are 30.000001 s old.",
    )
    assert denied(means_as_of=NOW + 2 * SECOND + 1)[0] == "means_unknown"
    assert denied(reserved=-1)[0] == "means_unknown"


def test_buying_power_covers_the_order_beside_what_is_reserved():
    assert judge(buying_power=units(1500), reserved=units(500)).outcome == Outcome.APPROVED
    assert denied(buying_power=units(1500), reserved=units(500) + 1) == (
        "insufficient_buying_power",
        "The order may cost 1000; available are 999.999999999 (1500 of buying power, 500.000000001 reserved).",
    )
    assert denied(buying_power=units(-1))[0] == "insufficient_buying_power"


def test_a_replacement_may_use_what_the_replaced_order_had_reserved():
    order = proposal(12, limit=100, replaced_remaining=units(10), replaced_reserved=units(1000))
    assert judge(order, buying_power=units(200), open_buys=units(10)).cost == units(1200)
    assert denied(order, buying_power=units(200) - 1, open_buys=units(10))[0] == "insufficient_buying_power"


def test_the_order_rate():
    full = NOW + 60 * SECOND
    assert denied(rate_reset_at=full) == ("order_rate_limit", "The limit of 60 orders a minute is reached.")
    assert judge(rate_reset_at=full - SECOND).rate_reset_at == full
    assert denied(max_orders_per_minute=0)[0] == "order_rate_limit"


@pytest.mark.parametrize("type_", OrderType)
@pytest.mark.parametrize(("side", "position"), [(Side.SELL, 10), (Side.BUY, -10)])
def test_an_order_that_only_reduces_needs_no_means_and_no_room(type_: OrderType, side: Side, position: int):
    nothing_left = {
        "position": units(position),
        "other_trades": 5,
        "unknown_orders": None,
        "max_open_trades": None,
        "max_position_value": None,
        "max_concentration": None,
        "equity": None,
        "buying_power": None,
        "reserved": None,
        "is_restricted": None,
        "means_as_of": None,
    }
    decision = judge(proposal(10, side, type_), **nothing_left)
    assert (decision.outcome, decision.cost) == (Outcome.APPROVED, 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"engaged_switches": ("account: x",)}, "kill_switch_engaged"),
        ({"clock_asked_at": None}, "clock_unknown"),
        ({"ask": None}, "price_unknown"),
        ({"clock_is_open": False}, "venue_closed"),
        ({"tradable": False}, "instrument_not_tradable"),
        ({"rate_reset_at": NOW + 60 * SECOND}, "order_rate_limit"),
        ({"max_orders_per_minute": None}, "limits_unknown"),
    ],
)
def test_what_holds_for_a_reducing_order_too(changes: dict[str, Any], code: str):
    assert denied(proposal(10, Side.SELL), position=units(10), **changes)[0] == code


def test_what_must_be_asked_for_again():
    assert stale_inputs(GOOD) == frozenset()
    assert stale_inputs(Snapshot(now=NOW)) == {Input.QUOTE, Input.CLOCK, Input.MEANS}
    assert stale_inputs(snapshot(quote_venue_at=NOW - 16 * SECOND)) == {Input.QUOTE}
    assert stale_inputs(snapshot(clock_turns_at=NOW)) == {Input.CLOCK}
    assert stale_inputs(snapshot(means_as_of=None)) == {Input.MEANS}
    # With a switch engaged, too: else the clock, which is checked first, would be what denies.
    assert stale_inputs(Snapshot(now=NOW, engaged_switches=("tenant: x",))) == set(Input)


def test_the_same_snapshot_gives_the_same_decision():
    again = Snapshot(**asdict(GOOD))
    assert decide(again, proposal()) == judge()


def test_figures_beyond_64_bits():
    rich = units(10**20)
    decision = judge(
        proposal(10**9, limit=10**9), equity=rich, buying_power=rich, max_position_value=rich, max_concentration=ONE
    )
    assert decision.cost == units(10**18)
