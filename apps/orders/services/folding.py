"""What an order's events add up to: its row is their fold, and this is how to tell.

States come from the kinds of events and amounts from the fills in them; the rest are facts that an event states.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.orders import events
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order, OrderEvent
from apps.orders.rules.averages import average_price
from apps.orders.rules.states import TERMINAL_STATES

_STATUS_OF = {event: status for status, event in events.STATUS_EVENTS.items()} | {
    events.ORDER_SUBMISSION_DEFERRED: OrderStatus.APPROVED,
    events.ORDER_RESUMED: OrderStatus.PARTIALLY_FILLED,
}
_PENDING_OF = {
    events.ORDER_CANCEL_REQUESTED: Pending.CANCEL,
    events.ORDER_REPLACE_REQUESTED: Pending.REPLACE,
    events.ORDER_CANCEL_REFUSED: Pending.NONE,
    events.ORDER_REPLACE_REFUSED: Pending.NONE,
}


@dataclass(frozen=True, slots=True)
class Projection:
    """The columns of an order that its events make."""

    status: OrderStatus = OrderStatus.DRAFT
    pending: Pending = Pending.NONE
    filled_quantity: Decimal = Decimal(0)
    average_fill_price: Decimal | None = None
    venue_order_id: str = ""
    denial_code: str = ""
    denial_detail: str = ""
    submitted_at: datetime | None = None
    closed_at: datetime | None = None
    updated_at: datetime | None = None
    version: int = 0


def fold(happened: Iterable[OrderEvent]) -> Projection:
    """Return what events in their order make of an order."""
    projection, fills = Projection(), []
    for event in happened:
        if "fill" in event.data:
            fills.append((Decimal(event.data["fill"]["quantity"]), Decimal(event.data["fill"]["price"])))
        projection = _apply(projection, event, fills)
    return projection


def projection_of(order: Order) -> Projection:
    """Return the same columns as the order's row has them."""
    values = {name: getattr(order, name) for name in Projection.__slots__}
    return Projection(**values | {"status": OrderStatus(order.status), "pending": Pending(order.pending)})


def _apply(before: Projection, event: OrderEvent, fills: list[tuple[Decimal, Decimal]]) -> Projection:
    status = _STATUS_OF.get(event.type, before.status)
    has_ended = status in TERMINAL_STATES
    denial: dict[str, Any] = event.data["denial"] or {}
    return replace(
        before,
        status=status,
        pending=Pending.NONE if has_ended else _PENDING_OF.get(event.type, before.pending),
        filled_quantity=sum((quantity for quantity, _price in fills), Decimal(0)),
        average_fill_price=average_price(fills),
        venue_order_id=event.data["venue_order_id"] or "",
        denial_code=denial.get("code", ""),
        denial_detail=denial.get("detail", ""),
        submitted_at=event.at if status is OrderStatus.SUBMITTING != before.status else before.submitted_at,
        closed_at=event.at if has_ended and before.closed_at is None else before.closed_at,
        updated_at=event.at,
        version=event.sequence,
    )
