"""The one way in which an order changes: its row, its event, the audit leaf and the outbox event, together.

Order intake alone writes an order's first event by its own statement (docs/adr/0010-order-intake.md). Every change
raises the version by one and leaves one event, so that an event's sequence is the version that it led to.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.scope import write_scope
from apps.orders import events
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Fill, Order, OrderEvent
from apps.orders.rules.states import AT_VENUE, ENDS_AT_VENUE, TERMINAL_STATES, may_follow
from apps.outbox import services as outbox
from apps.outbox.types import NewEvent

# Coming into one of these, the venue has shown that it has, or had, the order; what it rejects it never took.
_SHOWN = AT_VENUE | ENDS_AT_VENUE - {OrderStatus.REJECTED}
_PLACES = Decimal(1).scaleb(-9)


class ImpossibleTransition(RuntimeError):
    """The state table does not lead there; a programming error, since callers ask the table first."""


def transition(
    order: Order,
    to: OrderStatus,
    *,
    actor: Actor,
    now: datetime,
    event: str = "",
    fill: Fill | None = None,
    data: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Bring a locked order into another state, or into the same one by a further fill.

    `event` is by default the state's own; partly filled again without a fill, the order was resumed. `data` stands in
    the event beside the order, `columns` change with it. At an end `pending` is over, and of `reserved` stays what was
    spent.

    Raises:
        ImpossibleTransition: see the class.
    """
    before = OrderStatus(order.status)
    is_next_fill = fill is not None and before == to == OrderStatus.PARTIALLY_FILLED
    if not is_next_fill and not may_follow(before, to):
        raise ImpossibleTransition(f"order {order.id}: {before} to {to}")
    if to is OrderStatus.SUBMITTING:
        columns.setdefault("submitted_at", now)
    if to in _SHOWN and order.accepted_at is None:
        columns.setdefault("accepted_at", now)
    if to in TERMINAL_STATES:
        columns |= {"pending": Pending.NONE, "closed_at": now}
    _write(order, event or _event_of(to, fill), {"status": to, **columns}, fill, data, actor, now)


def note(
    order: Order,
    event: str,
    *,
    actor: Actor,
    now: datetime,
    fill: Fill | None = None,
    data: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Tell of something that happened to a locked order and left its state as it is."""
    _write(order, event, columns, fill, data, actor, now)


def spent_of(order: Order, filled: Decimal, average: Decimal | None) -> Decimal:
    """Return what the filled part has cost, to places that an average's rounding does not reach; else nothing.

    An order that needed nothing has cost nothing.
    """
    return (filled * average).quantize(_PLACES) if order.reserved and average is not None else Decimal(0)


def _event_of(to: OrderStatus, fill: Fill | None) -> str:
    # Whoever hears of a partial fill reads it from the event.
    is_resumed = to is OrderStatus.PARTIALLY_FILLED and fill is None
    return events.ORDER_RESUMED if is_resumed else events.STATUS_EVENTS[to]


def _write(
    order: Order,
    event: str,
    columns: Mapping[str, Any],
    fill: Fill | None,
    data: Mapping[str, Any] | None,
    actor: Actor,
    now: datetime,
) -> None:
    changes = {name: [getattr(order, name), value] for name, value in columns.items()}
    for name, value in columns.items():
        setattr(order, name, value)
    if order.status in TERMINAL_STATES:
        order.reserved = spent_of(order, order.filled_quantity, order.average_fill_price)
    order.version += 1
    order.updated_at = now
    told = jsonable({**events.order_event_data(order, fill=fill), **(data or {})})
    with write_scope(actor):
        order.save(update_fields=[*columns, "reserved", "version", "updated_at"])
        OrderEvent(tenant_id=order.tenant_id, order=order, sequence=order.version, type=event, data=told, at=now).save(
            force_insert=True
        )
        audit.record(
            action=event,
            actor=actor,
            target_type="order",
            target_id=order.id,
            now=now,
            changes={name: pair for name, pair in changes.items() if pair[0] != pair[1]} | _extra(fill, data),
        )
        outbox.emit(NewEvent(type=event, entity_type="order", entity_id=order.id, data=told), actor=actor, now=now)


def _extra(fill: Fill | None, data: Mapping[str, Any] | None) -> dict[str, Any]:
    extra = {name: [None, value] for name, value in (data or {}).items()}
    if fill is not None:
        extra["fill"] = [None, events.fill_data(fill)]
    return extra
