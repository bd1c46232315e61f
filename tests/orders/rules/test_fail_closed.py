"""Fail closed: without an input of the gate, or with an old or absurd one, every kind of order is denied by code."""

from itertools import product
from typing import Any

import pytest
from msgspec.structs import fields

from apps.orders.enums import OrderType, Outcome, Side, TimeInForce
from apps.orders.rules.gate import decide
from apps.orders.rules.snapshot import Snapshot
from apps.orders.rules.units import SECOND
from tests.orders.rules.case import NOW, proposal, snapshot

pytestmark = pytest.mark.no_database

MISSING = {
    "engaged_switches": "kill_switch_unknown",
    "clock_is_open": "clock_unknown",
    "clock_venue_at": "clock_unknown",
    "clock_asked_at": "clock_unknown",
    "clock_received_at": "clock_unknown",
    "bid": "price_unknown",
    "ask": "price_unknown",
    "quote_venue_at": "price_unknown",
    "quote_received_at": "price_unknown",
    "asset_class": "instrument_unknown",
    "listed": "instrument_unknown",
    "tradable": "instrument_unknown",
    "shortable": "short_not_allowed",
    "position": "exposure_unknown",
    "open_buys": "exposure_unknown",
    "open_sells": "exposure_unknown",
    "open_buys_above": "exposure_unknown",
    "open_sells_above": "exposure_unknown",
    "other_trades": "exposure_unknown",
    "unknown_orders": "outcome_unknown",
    "equity": "means_unknown",
    "buying_power": "means_unknown",
    "reserved": "means_unknown",
    "is_restricted": "means_unknown",
    "means_as_of": "means_unknown",
    "max_open_trades": "limits_unknown",
    "max_position_value": "limits_unknown",
    "max_concentration": "limits_unknown",
    "max_orders_per_minute": "limits_unknown",
}
# What is not asked of the world, and what may rightly not be there.
NO_INPUTS = {"now", "quote_max_age", "clock_max_age", "means_max_age", "max_clock_offset"}
MAY_BE_MISSING = {"clock_turns_at", "rate_reset_at"}
# Only what is sold short must be shortable.
OF_SHORT_SALES = {"shortable"}

OLD, AHEAD = NOW - 61 * SECOND, NOW + 61 * SECOND
BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("quote old at the venue", {"quote_venue_at": OLD}, "price_stale"),
    ("quote old with us", {"quote_received_at": OLD}, "price_stale"),
    ("quote of the future", {"quote_venue_at": AHEAD}, "price_stale"),
    ("quote received in the future", {"quote_received_at": AHEAD}, "price_stale"),
    ("clock old", {"clock_asked_at": OLD, "clock_received_at": OLD, "clock_venue_at": OLD}, "clock_unknown"),
    (
        "clock of the future",
        dict.fromkeys(("clock_asked_at", "clock_venue_at", "clock_received_at"), AHEAD),
        "clock_unknown",
    ),
    ("clock answered before it was asked", {"clock_received_at": OLD}, "clock_unknown"),
    ("clock behind ours", {"clock_venue_at": OLD}, "clock_offset"),
    ("clock ahead of ours", {"clock_venue_at": AHEAD}, "clock_offset"),
    ("venue has turned since", {"clock_turns_at": NOW - 1}, "clock_unknown"),
    ("venue closed", {"clock_is_open": False}, "venue_closed"),
    ("means old", {"means_as_of": OLD}, "means_unknown"),
    ("means of the future", {"means_as_of": AHEAD}, "means_unknown"),
    ("crossed quote", {"bid": 2, "ask": 1}, "price_unknown"),
    ("no bid", {"bid": 0}, "price_unknown"),
    ("negative quote", {"bid": -2, "ask": -1}, "price_unknown"),
    ("no equity", {"equity": 0}, "means_unknown"),
    ("negative equity", {"equity": -1}, "means_unknown"),
    ("negative buying power", {"buying_power": -1}, "insufficient_buying_power"),
    ("negative reservation", {"reserved": -1}, "means_unknown"),
    ("negative open buys", {"open_buys": -1}, "exposure_unknown"),
    ("negative open sells", {"open_sells": -1}, "exposure_unknown"),
    ("negative value of open buys", {"open_buys_above": -1}, "exposure_unknown"),
    ("negative value of open sells", {"open_sells_above": -1}, "exposure_unknown"),
    ("negative trades", {"other_trades": -1}, "exposure_unknown"),
    ("negative count of unknown orders", {"unknown_orders": -1}, "outcome_unknown"),
    *[(f"negative {name}", {name: -1}, "limits_unknown") for name in MISSING if name.startswith("max_")],
]
EVERY_KIND = list(product(OrderType, Side, TimeInForce))


def kinds(name: str = "") -> list[tuple[OrderType, Side, TimeInForce]]:
    """Return every kind of order that needs the input."""
    return [kind for kind in EVERY_KIND if name not in OF_SHORT_SALES or kind[1] is Side.SELL]


def assert_denied(changes: dict[str, Any], code: str, kind: tuple[OrderType, Side, TimeInForce]) -> None:
    type_, side, time = kind
    order = proposal(10, side, type_, time_in_force=time)
    assert decide(snapshot(), order).outcome is Outcome.APPROVED
    decision = decide(snapshot(**changes), order)
    assert (decision.outcome, decision.code, decision.cost) == (Outcome.DENIED, code, 0)
    assert decision.rate_reset_at == changes.get("rate_reset_at")
    assert decision.detail
    assert code in {result.code for result in decision.checks}


def test_the_matrix_has_every_input():
    assert set(MISSING) == {field.name for field in fields(Snapshot)} - NO_INPUTS - MAY_BE_MISSING


@pytest.mark.parametrize("name", MISSING)
def test_without_the_input(name: str):
    for kind in kinds(name):
        assert_denied({name: None}, MISSING[name], kind)


@pytest.mark.parametrize(("changes", "code"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_with_a_broken_input(changes: dict[str, Any], code: str):
    for kind in kinds():
        assert_denied(changes, code, kind)


@pytest.mark.parametrize("name", MISSING)
def test_without_two_inputs_the_first_check_speaks(name: str):
    """Nothing else that is missing ever turns a denial into an approval."""
    for other, code in MISSING.items():
        decision = decide(snapshot(**{name: None, other: None}), proposal(10, Side.SELL))
        assert decision.outcome is Outcome.DENIED
        assert decision.code in (MISSING[name], code)
