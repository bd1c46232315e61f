"""From what was read to what the gate decides, and to what is kept of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.conditions import Resource
from apps.core.decisions import require_conditions
from apps.core.permissions import Permission
from apps.orders.enums import OrderType, Side, TimeInForce
from apps.orders.errors import AccountNotTradable
from apps.orders.models import Order
from apps.orders.rules import units
from apps.orders.rules.gate import decide, stale_inputs
from apps.orders.rules.snapshot import AMOUNTS, INTERVALS, TIMES, CheckResult, Decision, Input, Proposal, Snapshot
from apps.orders.rules.units import SECOND, ceil_units, floor_units, micros
from apps.orders.rules.valuation import assess, is_priced, worst_price
from apps.orders.services.intake.reading import Facts, Means, Reading
from apps.orders.services.intake.refreshing import Missing
from apps.orders.services.transitions import spent_of
from apps.orders.types import NewOrder


def judge(
    found: Reading,
    new: NewOrder,
    *,
    account_id: UUID,
    replaces: Order | None = None,
    now: datetime,
    is_last_try: bool,
) -> tuple[Snapshot, Decision]:
    """Return what the gate decides of a proposal, and upon what.

    Raises:
        Missing: unless it is the last try, what the gate lacks; have it refreshed outside of any transaction.
        AccountNotTradable: at the last try the venue still cannot be reached.
    """
    means, facts = found.means, found.facts
    assert facts is not None, "the account is known"
    snapshot = snapshot_of(means, facts, now=now)
    lacking = stale_inputs(snapshot)
    is_connected = means is not None and means.is_connected
    if not is_last_try and (lacking or not is_connected):
        raise Missing(account_id=account_id, instrument=new.instrument, inputs=lacking)
    if not is_connected:
        raise AccountNotTradable
    return snapshot, decide(snapshot, proposal_of(new, replaces=replaces))


def require_may_place(snapshot: Snapshot, new: NewOrder, *, account_id: UUID, actor: Actor, now: datetime) -> None:
    """Hold an order to the grants and conditions under which whoever asks may place orders.

    Its amount is its quantity at the price at which the gate values it; it is not known where that takes a quote and
    there is no fresh and orderly one.

    Raises:
        NotFound, ConditionFailed: see require_conditions.
    """
    if not (actor.conditions or actor.granted):
        return
    proposal = proposal_of(new)
    ask = None if Input.QUOTE in stale_inputs(snapshot) else assess(snapshot, proposal).ask
    amount = None
    if ask is not None or is_priced(proposal):
        amount = units.to_decimal(units.product(proposal.quantity, worst_price(proposal, ask or 0)))
    resource = Resource(type="order", account_id=account_id, made_by=actor.user_id or actor.api_key_id, amount=amount)
    require_conditions(actor, Permission.ORDERS_WRITE, resource, now=now)


def snapshot_of(means: Means | None, facts: Facts, *, now: datetime) -> Snapshot:
    """Return what the gate looks at. What a client has is rounded down, what it owes up."""
    return Snapshot(
        now=micros(now),
        engaged_switches=tuple(facts.engaged_switches),
        clock_is_open=facts.clock_is_open,
        clock_venue_at=_time(facts.clock_venue_at),
        clock_asked_at=_time(facts.clock_asked_at),
        clock_received_at=_time(facts.clock_received_at),
        clock_turns_at=_time(facts.clock_turns_at),
        bid=_down(facts.bid),
        ask=_up(facts.ask),
        quote_venue_at=_time(facts.quote_venue_at),
        quote_received_at=_time(facts.quote_received_at),
        asset_class=facts.asset_class,
        listed=facts.listed,
        tradable=facts.tradable,
        shortable=facts.shortable,
        position=_down(facts.position) or 0,
        open_buys=_up(facts.open_buys) or 0,
        open_sells=_up(facts.open_sells) or 0,
        open_buys_above=_up(facts.open_buys_above) or 0,
        open_sells_above=_up(facts.open_sells_above) or 0,
        other_trades=facts.other_trades,
        unknown_orders=facts.unknown_orders,
        reserved=_up(facts.reserved) or 0,
        quote_max_age=settings.QUOTE_MAX_AGE_SECONDS * SECOND,
        clock_max_age=settings.CLOCK_MAX_AGE_SECONDS * SECOND,
        means_max_age=settings.MEANS_MAX_AGE_SECONDS * SECOND,
        max_clock_offset=settings.MAX_CLOCK_OFFSET_MS * (SECOND // 1000),
        **({} if means is None else _of_account(means)),
    )


def _of_account(means: Means) -> dict[str, Any]:
    return {
        "equity": _down(means.equity),
        "buying_power": _down(means.buying_power),
        "is_restricted": means.is_restricted,
        "means_as_of": _time(means.means_as_of),
        "max_open_trades": means.max_open_trades,
        "max_position_value": floor_units(means.max_position_value),
        "max_concentration": floor_units(means.max_concentration),
        "max_orders_per_minute": means.max_orders_per_minute,
        "rate_reset_at": _time(means.rate_reset_at),
    }


def proposal_of(new: NewOrder, *, replaces: Order | None = None) -> Proposal:
    """Return the order as the gate takes it, with what the order that it replaces may still do and has reserved."""
    return Proposal(
        side=new.side,
        type=new.type,
        quantity=floor_units(new.quantity),
        limit_price=_up(new.limit_price),
        stop_price=_up(new.stop_price),
        time_in_force=new.time_in_force,
        replaced_remaining=_up(replaces.quantity - replaces.filled_quantity) or 0 if replaces else 0,
        replaced_reserved=_down(_unspent(replaces)) or 0 if replaces else 0,
    )


def _unspent(order: Order) -> Decimal:
    unspent: Decimal = order.reserved - spent_of(order, order.filled_quantity, order.average_fill_price)
    return max(Decimal(0), unspent)


def new_order_of(order: Order) -> NewOrder:
    """Return a stored order as it was asked for."""
    return NewOrder(
        instrument=order.instrument.key,
        side=Side(order.side),
        type=OrderType(order.type),
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=TimeInForce(order.time_in_force),
        client_order_id=order.client_order_id,
    )


def request_for_people(new: NewOrder) -> dict[str, Any]:
    """Return what was asked for as it is kept."""
    request: dict[str, Any] = jsonable(msgspec.structs.asdict(new))
    return request


def inputs_for_people(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as it is kept: plain decimals, times in RFC 3339, intervals in seconds."""
    return {name: _for_people(name, value) for name, value in msgspec.structs.asdict(snapshot).items()}


def checks_for_people(checks: tuple[CheckResult, ...]) -> list[dict[str, Any]]:
    """Return what each check said as it is kept: `code` is null where it passed."""
    return [{"check": result.check, "code": result.code, "detail": result.detail} for result in checks]


def _for_people(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in AMOUNTS:
        return units.plain(value)
    if name in TIMES:
        return jsonable(units.from_micros(value))
    if name in INTERVALS:
        return units.plain(value * (units.ONE // SECOND))
    return value


def _time(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _down(value: Decimal | None) -> int | None:
    return None if value is None else floor_units(value)


def _up(value: Decimal | None) -> int | None:
    return None if value is None else ceil_units(value)
