"""Executions: each is stored once, moves the position and the order, and is never dropped for being late."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.ids import new_id
from apps.core.money import plain
from apps.orders import events
from apps.orders.enums import OrderStatus, Side
from apps.orders.models import Fill, Order, Position
from apps.orders.rules.averages import average_price
from apps.orders.rules.positions import Applied, Holding, apply_fill
from apps.orders.rules.states import TERMINAL_STATES
from apps.orders.services.alarms import FILL_REFUSED, LATE_FILL, call_a_person
from apps.orders.services.locking import lock_position
from apps.orders.services.transitions import note, spent_of, transition
from apps.orders.services.walking import bring_to_venue
from apps.providers.trading import FillData

_PLACES = Decimal(1).scaleb(-18)


def record_fill(order: Order, data: FillData, *, actor: Actor, now: datetime) -> Fill | None:
    """Store an execution of a locked order, unless it is stored already; return it if it is new.

    One that cannot be the order's (more than is left of it, another symbol or side) is not taken over: an incident
    asks a person, and the position's drift from the venue's stays visible.
    """
    if Fill.objects.filter(risk_account_id=order.risk_account_id, venue_execution_id=data.execution_id).exists():
        return None
    problem = _problem_with(order, data)
    if problem:
        _call(FILL_REFUSED, data.execution_id, problem, order, data, actor, now)
        return None
    is_late = order.status in TERMINAL_STATES
    if not is_late:
        bring_to_venue(order, data.venue_order_id, actor=actor, now=now)
    position, applied = _move_position(order, data, now)
    fill = _insert(order, data, applied.realized, is_late, now)
    changes = {"position": {"quantity": plain(position.quantity), "average_price": plain(position.average_price)}}
    _tell(order, fill, changes, actor, now)
    if is_late:
        _call(LATE_FILL, "", _("%(order)s was executed after its end"), order, data, actor, now)
    return fill


def _problem_with(order: Order, data: FillData) -> str:
    if (data.symbol, data.side) != (order.symbol, order.side):
        return _("The venue reports an execution of %(order)s in another symbol or side")
    if order.filled_quantity + data.quantity > order.quantity:
        return _("The venue reports more executed of %(order)s than was ordered")
    return ""


def _move_position(order: Order, data: FillData, now: datetime) -> tuple[Position, Applied]:
    position = lock_position(order)
    is_new = position is None
    if position is None:
        position = Position(
            tenant_id=order.tenant_id,
            risk_account_id=order.risk_account_id,
            instrument_id=order.instrument_id,
            quantity=Decimal(0),
            average_price=Decimal(0),
            created_at=now,
        )
    held = Holding(position.quantity, position.average_price)
    applied = apply_fill(held, side=Side(order.side), quantity=data.quantity, price=data.price)
    position.quantity, position.average_price = applied.holding
    position.realized_pnl += applied.realized
    position.updated_at = now
    position.version += not is_new
    columns = ["quantity", "average_price", "realized_pnl", "version", "updated_at"]
    position.save(force_insert=is_new, update_fields=None if is_new else columns)
    return position, applied


def _insert(order: Order, data: FillData, realized: Decimal, is_late: bool, now: datetime) -> Fill:
    fill = Fill(
        id=new_id(),
        tenant_id=order.tenant_id,
        order=order,
        account_id=order.account_id,
        risk_account_id=order.risk_account_id,
        instrument=order.instrument,
        venue_execution_id=data.execution_id,
        side=order.side,
        quantity=data.quantity,
        price=data.price,
        fee=data.fee,
        realized_pnl=realized,
        is_late=is_late,
        filled_at=data.filled_at,
        created_at=now,
    )
    fill.save(force_insert=True)
    return fill


def _tell(order: Order, fill: Fill, data: dict[str, Any], actor: Actor, now: datetime) -> None:
    filled = order.filled_quantity + fill.quantity
    executions = Fill.objects.filter(order=order).values_list("quantity", "price")
    average = average_price(executions)
    columns: dict[str, Any] = {
        "filled_quantity": filled,
        "average_fill_price": average,
        "reserved": _reserved(order, filled, average),
    }
    if fill.is_late:
        note(order, events.ORDER_LATE_FILL_RECEIVED, actor=actor, now=now, fill=fill, data=data, **columns)
        return
    to = OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIALLY_FILLED
    transition(order, to, actor=actor, now=now, fill=fill, data=data, **columns)


def _reserved(order: Order, filled: Decimal, average: Decimal | None) -> Decimal:
    """Return what the order has cost so far and what its rest may still cost."""
    before = spent_of(order, order.filled_quantity, order.average_fill_price)
    open_before, open_after = order.quantity - order.filled_quantity, order.quantity - filled
    rest = max(order.reserved - before, Decimal(0)) * open_after / open_before
    return Decimal(spent_of(order, filled, average) + rest).quantize(_PLACES)


def _call(kind: str, key: str, title: str, order: Order, data: FillData, actor: Actor, now: datetime) -> None:
    detail = {
        "venue_execution_id": data.execution_id,
        "symbol": data.symbol,
        "side": data.side,
        "quantity": plain(data.quantity),
        "price": plain(data.price),
    }
    call_a_person(kind, order, title, detail, key=key, actor=actor, now=now)
