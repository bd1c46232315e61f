"""What the gate looks at and what it answers. Integers only; units.py says of what."""

from enum import StrEnum

import msgspec

from apps.orders.enums import OrderType, Outcome, Side, TimeInForce
from apps.orders.rules.codes import DenialCode
from apps.orders.rules.units import SECOND


class Input(StrEnum):
    """What can be asked for again when it is missing or has grown old."""

    QUOTE = "quote"
    CLOCK = "clock"
    MEANS = "means"


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An order that somebody wants to place.

    If it replaces another one, `replaced_remaining` is what that one may still execute, and `replaced_reserved` the
    part of its reservation for that; both also count in the snapshot. `quantity` is then what the new one may execute.
    """

    side: Side
    type: OrderType
    quantity: int
    limit_price: int | None = None
    stop_price: int | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    replaced_remaining: int = 0
    replaced_reserved: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gate knows at one instant, read while the account's risk row is locked. None: not known.

    `open_buys` and `open_sells` are the remaining quantities of the instrument's open orders, and `open_buys_above` and
    `open_sells_above` what they are worth at their own prices beyond the ask. `other_trades` counts the other
    instruments with a position or an open order. `reserved` is what the venue's figures may not include yet: what the
    account's orders since `means_as_of`, and those not accepted by then, may cost or have cost. `engaged_switches` says
    of each engaged kill switch whose it is and why, such as "tenant: year-end".
    """

    now: int
    engaged_switches: tuple[str, ...] | None = None

    clock_is_open: bool | None = None
    clock_venue_at: int | None = None
    clock_asked_at: int | None = None
    clock_received_at: int | None = None
    clock_turns_at: int | None = None  # when the venue next opens or closes; None: it did not say

    bid: int | None = None
    ask: int | None = None
    quote_venue_at: int | None = None
    quote_received_at: int | None = None

    asset_class: str | None = None  # equity | crypto
    listed: bool | None = None
    tradable: bool | None = None
    shortable: bool | None = None

    position: int | None = None
    open_buys: int | None = None
    open_sells: int | None = None
    open_buys_above: int | None = None
    open_sells_above: int | None = None
    other_trades: int | None = None
    unknown_orders: int | None = None

    equity: int | None = None
    buying_power: int | None = None
    reserved: int | None = None
    is_restricted: bool | None = None
    means_as_of: int | None = None

    max_open_trades: int | None = None
    max_position_value: int | None = None
    max_concentration: int | None = None
    max_orders_per_minute: int | None = None
    rate_reset_at: int | None = None  # None: no order yet

    # The installation's tolerances, kept here so that a stored decision can be decided again.
    quote_max_age: int = 15 * SECOND
    clock_max_age: int = 30 * SECOND
    means_max_age: int = 30 * SECOND
    max_clock_offset: int = 2 * SECOND


# What the integers of a snapshot are: times, intervals, and the rest of what is in units of 10^-9.
TIMES = frozenset(
    {
        "now",
        "clock_venue_at",
        "clock_asked_at",
        "clock_received_at",
        "clock_turns_at",
        "quote_venue_at",
        "quote_received_at",
        "means_as_of",
        "rate_reset_at",
    }
)
INTERVALS = frozenset({"quote_max_age", "clock_max_age", "means_max_age", "max_clock_offset"})
AMOUNTS = frozenset(
    {
        "bid",
        "ask",
        "position",
        "open_buys",
        "open_sells",
        "open_buys_above",
        "open_sells_above",
        "equity",
        "buying_power",
        "reserved",
        "max_position_value",
        "max_concentration",
    }
)


class CheckResult(msgspec.Struct, frozen=True):
    """What one check found; without a code it passed."""

    check: str
    code: DenialCode | None = None
    detail: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided: the first check that denied, and what every check said, in order.

    `cost` is what an approved order may cost: it is reserved. `rate_reset_at` is the account's from now on.
    """

    outcome: Outcome
    code: DenialCode | None
    detail: str
    checks: tuple[CheckResult, ...]
    cost: int
    rate_reset_at: int | None
