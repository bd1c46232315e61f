"""Names and payloads of what happens to orders. A name is order event, audit action and event type alike.

An event's data is the order as the API shows it, with `fill` beside it where an execution made the event.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.core.money import plain
from apps.orders.enums import OrderStatus
from apps.orders.models import Fill, KillSwitch, Order, Position, RiskAccount
from apps.outbox.types import NewEvent

ORDER_DENIED = "order.denied"
ORDER_APPROVED = "order.approved"
ORDER_SUBMITTED = "order.submitted"
ORDER_OUTCOME_UNKNOWN = "order.outcome_unknown"
ORDER_LOST = "order.lost"
ORDER_ACCEPTED = "order.accepted"
ORDER_HELD = "order.held"
ORDER_PARTIALLY_FILLED = "order.partially_filled"
ORDER_FILLED = "order.filled"
ORDER_CANCELED = "order.canceled"
ORDER_EXPIRED = "order.expired"
ORDER_REPLACED = "order.replaced"
ORDER_DONE_FOR_DAY = "order.done_for_day"
ORDER_REJECTED = "order.rejected"

# It provably was not carried out: back to approved, and tried again.
ORDER_SUBMISSION_DEFERRED = "order.submission_deferred"
# Done for the day with a part executed, it is at work again: partially filled, by no execution of now.
ORDER_RESUMED = "order.resumed"
ORDER_CANCEL_REQUESTED = "order.cancel_requested"
ORDER_CANCEL_REFUSED = "order.cancel_refused"
ORDER_REPLACE_REQUESTED = "order.replace_requested"
ORDER_REPLACE_REFUSED = "order.replace_refused"
ORDER_LATE_FILL_RECEIVED = "order.late_fill_received"

RISK_ACCOUNT_CREATED = "risk_account.created"
RISK_ACCOUNT_MOVED = "risk_account.moved"
RISK_LIMITS_CHANGED = "risk.limits_changed"
# A position that was there when the account was first read; from then on fills move it.
POSITION_OPENED = "position.opened"
KILL_SWITCH_ENGAGED = "kill_switch.engaged"
KILL_SWITCH_RELEASED = "kill_switch.released"

# What is said when an order comes into a state.
STATUS_EVENTS: Mapping[OrderStatus, str] = {
    OrderStatus.DENIED: ORDER_DENIED,
    OrderStatus.APPROVED: ORDER_APPROVED,
    OrderStatus.SUBMITTING: ORDER_SUBMITTED,
    OrderStatus.UNKNOWN: ORDER_OUTCOME_UNKNOWN,
    OrderStatus.LOST: ORDER_LOST,
    OrderStatus.ACCEPTED: ORDER_ACCEPTED,
    OrderStatus.HELD: ORDER_HELD,
    OrderStatus.PARTIALLY_FILLED: ORDER_PARTIALLY_FILLED,
    OrderStatus.FILLED: ORDER_FILLED,
    OrderStatus.CANCELED: ORDER_CANCELED,
    OrderStatus.EXPIRED: ORDER_EXPIRED,
    OrderStatus.REPLACED: ORDER_REPLACED,
    OrderStatus.DONE_FOR_DAY: ORDER_DONE_FOR_DAY,
    OrderStatus.REJECTED: ORDER_REJECTED,
}


def order_event(type_: str, order: Order, *, fill: Fill | None = None) -> NewEvent:
    """Build the event of one order; its data is `order_event_data`."""
    data = order_event_data(order, fill=fill)
    return NewEvent(type=type_, entity_type="order", entity_id=order.id, data=data)


def order_event_data(order: Order, *, fill: Fill | None = None) -> dict[str, Any]:
    """Return what an event says of an order: the order as it is now, and the execution that made the event."""
    return order_data(order) if fill is None else {**order_data(order), "fill": fill_data(fill)}


def order_data(order: Order) -> dict[str, Any]:
    """Return an order in the API's shape. Its instrument is read along (select_related), or costs a query."""
    denied = {"code": order.denial_code, "detail": order.denial_detail} if order.denial_code else None
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "account_id": order.account_id,
        "instrument": order.instrument.key,
        "side": str(order.side),
        "type": str(order.type),
        "quantity": plain(order.quantity),
        "limit_price": _plain(order.limit_price),
        "stop_price": _plain(order.stop_price),
        "time_in_force": str(order.time_in_force),
        "mode": str(order.mode),
        "status": str(order.status),
        "pending": str(order.pending),
        "filled_quantity": plain(order.filled_quantity),
        "average_fill_price": _plain(order.average_fill_price),
        "venue_order_id": order.venue_order_id or None,
        "denial": denied,
        "replaces": order.replaces_id,
        "reserved": plain(order.reserved),
        "submitted_at": order.submitted_at,
        "accepted_at": order.accepted_at,
        "closed_at": order.closed_at,
        "version": order.version,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


def fill_data(fill: Fill) -> dict[str, Any]:
    """Return an execution in the API's shape. Its instrument is read along, or costs a query."""
    return {
        "id": fill.id,
        "order_id": fill.order_id,
        "account_id": fill.account_id,
        "instrument": fill.instrument.key,
        "venue_execution_id": fill.venue_execution_id,
        "side": str(fill.side),
        "quantity": plain(fill.quantity),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "realized_pnl": plain(fill.realized_pnl),
        "is_late": fill.is_late,
        "filled_at": fill.filled_at,
    }


def risk_account_event(type_: str, risk_account: RiskAccount) -> NewEvent:
    """Build the event of an account's limits."""
    data = limits_data(risk_account)
    return NewEvent(type=type_, entity_type="risk_account", entity_id=risk_account.id, data=data)


def limits_data(risk_account: RiskAccount) -> dict[str, Any]:
    """Return an account's limits in the API's shape."""
    return {
        "account_id": risk_account.account_id,
        "mode": str(risk_account.mode),
        "currency": risk_account.currency,
        "max_open_trades": risk_account.max_open_trades,
        "max_position_value": plain(risk_account.max_position_value),
        "max_concentration": plain(risk_account.max_concentration),
        "max_orders_per_minute": risk_account.max_orders_per_minute,
        "version": risk_account.version,
        "created_at": risk_account.created_at,
        "updated_at": risk_account.updated_at,
    }


def position_opened_event(position: Position) -> NewEvent:
    """Build the event of a position that was found at the venue. Its instrument is read along."""
    data = {
        "account_id": position.risk_account.account_id,
        "instrument": position.instrument.key,
        "quantity": plain(position.quantity),
        "average_price": plain(position.average_price),
    }
    return NewEvent(type=POSITION_OPENED, entity_type="position", entity_id=position.id, data=data)


def kill_switch_event(type_: str, switch: KillSwitch) -> NewEvent:
    """Build the event of a tenant's or an account's kill switch."""
    data = {"account_id": switch.account_id, **kill_switch_data(switch)}
    return NewEvent(type=type_, entity_type="kill_switch", entity_id=switch.id, data=data)


def kill_switch_data(switch: KillSwitch) -> dict[str, Any]:
    """Return a kill switch in the API's shape."""
    return {
        "engaged": switch.engaged,
        "reason": switch.reason,
        "changed_by": switch.changed_by,
        "changed_at": switch.updated_at,
        "version": switch.version,
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
