"""Names and payloads of what happens to orders. A name is order event, audit action and event type alike.

An event's data is the order as the API shows it, with `fill` beside it where an execution made the event.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from apps.core.money import plain
from apps.orders.enums import OrderStatus
from apps.orders.models import Fill, KillSwitch, Order, Position, RiskAccount
from apps.orders.payloads import (
    DENIED,
    ENDED,
    FILLED,
    LATE,
    PARTLY,
    REJECTION,
    RESUMED,
    SENT,
    UNSENT,
    CancelRequestData,
    DenialData,
    ExplainedOrderData,
    FillData,
    FilledOrderData,
    KillSwitchData,
    KillSwitchTurnedData,
    LimitsData,
    LostOrderData,
    OrderData,
    PositionData,
    ReplaceRefusalData,
    ReplaceRequestData,
)
from apps.outbox.catalogue import define
from apps.outbox.types import NewEvent

ORDER_DENIED = define("order.denied", OrderData, _("The risk gate has refused an order."), sample=DENIED)
ORDER_APPROVED = define(
    "order.approved",
    OrderData,
    _("The risk gate has let an order through; it has not been sent yet."),
    sample=UNSENT | {"status": "approved", "version": 1},
)
ORDER_SUBMITTED = define(
    "order.submitted", OrderData, _("An order is being sent to the venue."), sample=SENT | {"status": "submitting"}
)
ORDER_OUTCOME_UNKNOWN = define(
    "order.outcome_unknown",
    ExplainedOrderData,
    _("The venue did not say what became of an order; it is being looked up."),
    sample=SENT | {"status": "unknown"},
)
ORDER_LOST = define(
    "order.lost",
    LostOrderData,
    _("A person has declared that an order never reached the venue."),
    sample=SENT | ENDED | {"status": "lost", "reason": "The venue says on the telephone that it has no such order."},
)
ORDER_ACCEPTED = define("order.accepted", OrderData, _("The venue has taken an order."))
ORDER_HELD = define("order.held", OrderData, _("The venue holds an order back for now."), sample={"status": "held"})
ORDER_PARTIALLY_FILLED = define(
    "order.partially_filled", FilledOrderData, _("A part of an order was executed; `fill` says what."), sample=PARTLY
)
ORDER_FILLED = define(
    "order.filled", FilledOrderData, _("An order was executed in full; `fill` is the last execution."), sample=FILLED
)
ORDER_CANCELED = define("order.canceled", OrderData, _("An order was canceled."), sample=ENDED | {"status": "canceled"})
ORDER_EXPIRED = define(
    "order.expired", OrderData, _("An order's time in force has ended."), sample=ENDED | {"status": "expired"}
)
ORDER_REPLACED = define(
    "order.replaced", OrderData, _("An order was replaced by a new one."), sample=ENDED | {"status": "replaced"}
)
ORDER_DONE_FOR_DAY = define(
    "order.done_for_day", OrderData, _("An order is done for the day."), sample={"status": "done_for_day"}
)
ORDER_REJECTED = define(
    "order.rejected",
    OrderData,
    _("The venue has refused an order."),
    sample=SENT | ENDED | {"status": "rejected", "denial": REJECTION},
)

# It provably was not carried out: back to approved, and tried again.
ORDER_SUBMISSION_DEFERRED = define(
    "order.submission_deferred",
    ExplainedOrderData,
    _("An order provably did not reach the venue; it is sent again."),
    sample=SENT | {"status": "approved"},
)
# Done for the day with a part executed, it is at work again: partially filled, by no execution of now.
ORDER_RESUMED = define(
    "order.resumed",
    OrderData,
    _("An order that was done for the day, executed in part, is at work again."),
    sample=RESUMED,
)
ORDER_CANCEL_REQUESTED = define(
    "order.cancel_requested",
    CancelRequestData,
    _("An order's cancellation was asked for."),
    sample={"pending": "cancel"},
)
ORDER_CANCEL_REFUSED = define(
    "order.cancel_refused",
    ExplainedOrderData,
    _("The venue has refused to cancel an order."),
    sample={"reason": "The venue is executing it."},
)
ORDER_REPLACE_REQUESTED = define(
    "order.replace_requested",
    ReplaceRequestData,
    _("An order's replacement was asked for."),
    sample={"pending": "replace"},
)
ORDER_REPLACE_REFUSED = define(
    "order.replace_refused",
    ReplaceRefusalData,
    _("The venue has refused to replace an order."),
    sample={"reason": "The venue is executing it."},
)
ORDER_LATE_FILL_RECEIVED = define(
    "order.late_fill_received", FilledOrderData, _("An execution came in for an order that was closed."), sample=LATE
)

RISK_ACCOUNT_CREATED = define("risk_account.created", LimitsData, _("A trading account has its first risk limits."))
RISK_ACCOUNT_MOVED = define(
    "risk_account.moved", LimitsData, _("A trading account is reached through another connection from now on.")
)
RISK_LIMITS_CHANGED = define("risk.limits_changed", LimitsData, _("A trading account's risk limits have changed."))
# A position that was there when the account was first read; from then on fills move it.
POSITION_OPENED = define("position.opened", PositionData, _("An account had a position when it was first read."))
KILL_SWITCH_ENGAGED = define("kill_switch.engaged", KillSwitchTurnedData, _("Trading was stopped."))
KILL_SWITCH_RELEASED = define(
    "kill_switch.released",
    KillSwitchTurnedData,
    _("Trading goes on."),
    sample={"engaged": False, "reason": "The feed is well again."},
)

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


def order_event_data(order: Order, *, fill: Fill | None = None) -> Mapping[str, object]:
    """Return what an event says of an order: the order as it is now, and the execution that made the event."""
    return order_data(order) if fill is None else {**order_data(order), "fill": fill_data(fill)}


def order_data(order: Order) -> OrderData:
    """Return an order in the API's shape. Its instrument is read along (select_related), or costs a query."""
    denied: DenialData | None = None
    if order.denial_code:
        denied = {"code": order.denial_code, "detail": order.denial_detail}
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


def fill_data(fill: Fill) -> FillData:
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


def limits_data(risk_account: RiskAccount) -> LimitsData:
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
    data: PositionData = {
        "account_id": position.risk_account.account_id,
        "instrument": position.instrument.key,
        "quantity": plain(position.quantity),
        "average_price": plain(position.average_price),
    }
    return NewEvent(type=POSITION_OPENED, entity_type="position", entity_id=position.id, data=data)


def kill_switch_event(type_: str, switch: KillSwitch) -> NewEvent:
    """Build the event of a tenant's or an account's kill switch."""
    data: KillSwitchTurnedData = {"account_id": switch.account_id, **kill_switch_data(switch)}
    return NewEvent(type=type_, entity_type="kill_switch", entity_id=switch.id, data=data)


def kill_switch_data(switch: KillSwitch) -> KillSwitchData:
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
