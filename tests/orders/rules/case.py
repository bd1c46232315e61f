"""One case for the gate: a liquid share, a fresh account, a desk that may do what it proposes."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from apps.orders.enums import OrderType, Side, TimeInForce
from apps.orders.rules.gate import decide
from apps.orders.rules.snapshot import Decision, Proposal, Snapshot
from apps.orders.rules.units import ONE, SECOND, micros

NOW = micros(datetime(2026, 3, 2, 15, 0, tzinfo=UTC))

GOOD = Snapshot(
    now=NOW,
    engaged_switches=(),
    clock_is_open=True,
    clock_venue_at=NOW - SECOND,
    clock_asked_at=NOW - SECOND - 20_000,
    clock_received_at=NOW - SECOND + 20_000,
    clock_turns_at=NOW + 3600 * SECOND,
    bid=99 * ONE,
    ask=100 * ONE,
    quote_venue_at=NOW - SECOND,
    quote_received_at=NOW - SECOND,
    asset_class="equity",
    listed=True,
    tradable=True,
    shortable=True,
    position=0,
    open_buys=0,
    open_sells=0,
    open_buys_above=0,
    open_sells_above=0,
    other_trades=0,
    unknown_orders=0,
    equity=100_000 * ONE,
    buying_power=200_000 * ONE,
    reserved=0,
    is_restricted=False,
    means_as_of=NOW - SECOND,
    max_open_trades=2,
    max_position_value=20_000 * ONE,
    max_concentration=3 * ONE // 10,
    max_orders_per_minute=60,
    rate_reset_at=None,
)


def units(value: int | str) -> int:
    """Return a decimal in units, exactly."""
    whole, _, part = str(value).partition(".")
    return int(whole) * ONE + (-1 if whole.startswith("-") else 1) * int(part.ljust(9, "0") or 0)


def snapshot(**changes: Any) -> Snapshot:
    """Return the good snapshot with these changes."""
    return replace(GOOD, **changes)


def proposal(
    quantity: int | str = 10,
    side: Side = Side.BUY,
    type: OrderType = OrderType.LIMIT,
    *,
    limit: int | str | None = 100,
    stop: int | str | None = None,
    **more: Any,
) -> Proposal:
    """Propose to buy ten at 100, or what is said instead; prices that the type has not are left out."""
    has_limit, has_stop = (
        type in (OrderType.LIMIT, OrderType.STOP_LIMIT),
        type in (OrderType.STOP, OrderType.STOP_LIMIT),
    )
    return Proposal(
        side=side,
        type=type,
        quantity=units(quantity),
        limit_price=units(limit) if has_limit and limit is not None else None,
        stop_price=units(105 if stop is None else stop) if has_stop else None,
        time_in_force=more.pop("time_in_force", TimeInForce.DAY),
        **more,
    )


def judge(order: Proposal | None = None, **changes: Any) -> Decision:
    """Let the gate decide upon a proposal and the good snapshot with these changes."""
    return decide(snapshot(**changes), order or proposal())
