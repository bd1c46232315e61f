"""Orders, both ways, and trade updates. Source: the OpenAPI schemas Order, OrderStatus and PatchOrderRequest."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from apps.core.money import plain
from apps.providers.adapters.alpaca.mapping.values import (
    Id,
    Stamp,
    Symbol,
    in_utc,
    mapped,
    number,
    number_or_none,
    text,
    without_none,
)
from apps.providers.trading import FillData, OrderRequest, Side, TradeUpdate, VenueOrder, VenueStatus
from apps.providers.types import RejectedRow

Pending = Literal["none", "cancel", "replace"]

# What each of Alpaca's words says of the order's own state; `_state` adds what only the quantities can tell.
_STATES: dict[str, VenueStatus] = {
    "new": "accepted",
    "accepted": "accepted",
    "pending_new": "accepted",
    "accepted_for_bidding": "accepted",
    "stopped": "accepted",  # a trade is guaranteed, and has not occurred yet
    "pending_cancel": "accepted",
    "pending_replace": "accepted",
    "calculated": "done_for_day",  # done or filled, with settlement figures still to come
    "held": "held",
    "pending_review": "held",
    "suspended": "held",  # not eligible for trading for the time being
    "partially_filled": "partially_filled",
    "filled": "filled",
    "done_for_day": "done_for_day",
    "canceled": "canceled",
    "expired": "expired",
    "replaced": "replaced",
    "rejected": "rejected",
}
_PENDING: dict[str, Pending] = {"pending_cancel": "cancel", "pending_replace": "replace"}
FILL_EVENTS = frozenset({"fill", "partial_fill"})


class _Order(msgspec.Struct):
    id: Id
    client_order_id: str
    symbol: Symbol
    status: str
    filled_qty: Decimal
    side: str | None = None
    type: str | None = None
    time_in_force: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    created_at: Stamp | None = None
    updated_at: Stamp | None = None
    qty: Decimal | None = None
    filled_avg_price: Decimal | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    reject_reason: str | None = None


class _Execution(msgspec.Struct):
    execution_id: Id
    price: Decimal
    qty: Decimal
    timestamp: Stamp
    side: Side


class _Update(msgspec.Struct):
    event: str
    order: dict[str, Any]
    timestamp: Stamp | None = None
    reason: str | None = None


def order_body(order: OrderRequest) -> dict[str, Any]:
    """Return the body of `POST /v2/orders`."""
    terms = {"symbol": order.symbol, "side": order.side, "type": order.type}
    return {**terms, **replacement_body(order)}


def replacement_body(order: OrderRequest) -> dict[str, Any]:
    """Return the body of `PATCH /v2/orders/{id}`: what may change.

    `qty` is the new order's own, what it may still execute. Alpaca's documents leave open whether it counts what the
    old one had filled; the whole of ours is stated, so that a venue which counts it buys less, never more.
    """
    return without_none(
        {
            "client_order_id": order.client_order_id,
            "qty": plain(order.quantity),
            "time_in_force": order.time_in_force,
            "limit_price": _plain_or_none(order.limit_price),
            "stop_price": _plain_or_none(order.stop_price),
        }
    )


def map_order(raw: Any, *, reason: str | None = None) -> VenueOrder | RejectedRow:
    """Return an order; a state that we do not know is refused, never guessed."""

    def build() -> VenueOrder:
        order = msgspec.convert(raw, _Order)
        if order.status not in _STATES:
            raise msgspec.ValidationError(f"The order state {text(order.status)[:40]!r} is not known.")
        updated_at = order.updated_at or order.created_at
        if updated_at is None:
            raise msgspec.ValidationError("The order has no time.")
        quantity, filled = number_or_none(order.qty), number(order.filled_qty)
        return VenueOrder(
            venue_order_id=order.id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=text(order.side),
            type=text(order.type),
            limit_price=number_or_none(order.limit_price),
            stop_price=number_or_none(order.stop_price),
            time_in_force=text(order.time_in_force),
            status=_state(order.status, quantity, filled),
            pending=_PENDING.get(order.status, "none"),
            venue_status=order.status,
            quantity=quantity,
            filled_quantity=filled,
            # Alpaca shows an average of 0 until there is one.
            average_fill_price=number_or_none(order.filled_avg_price) or None,
            replaces=order.replaces or None,
            replaced_by=order.replaced_by or None,
            updated_at=in_utc(updated_at),
            reason=text(order.reject_reason or reason),
        )

    return mapped("order", raw, build)


def map_update(raw: Any) -> TradeUpdate | RejectedRow:
    """Return the `data` of a trade update; a fill that cannot be read makes the whole update unreadable."""

    def build() -> TradeUpdate:
        update = msgspec.convert(raw, _Update)
        order = map_order(update.order, reason=update.reason)
        if isinstance(order, RejectedRow):
            raise msgspec.ValidationError(order.reason)
        fill = _execution(raw, update.order, order) if update.event in FILL_EVENTS else None
        at = in_utc(update.timestamp) if update.timestamp else order.updated_at
        return TradeUpdate(event=text(update.event), at=at, order=order, fill=fill)

    return mapped("order", raw, build)


def _execution(raw: dict[str, Any], order: dict[str, Any], mapped_order: VenueOrder) -> FillData:
    row = msgspec.convert({**raw, "side": order.get("side")}, _Execution)
    return FillData(
        execution_id=row.execution_id,
        venue_order_id=mapped_order.venue_order_id,
        symbol=mapped_order.symbol,
        side=row.side,
        quantity=number(row.qty),
        price=number(row.price),
        fee=Decimal(0),  # see map_fill
        filled_at=in_utc(row.timestamp),
    )


def _state(word: str, quantity: Decimal | None, filled: Decimal) -> VenueStatus:
    state = _STATES[word]
    if word == "calculated" and quantity is not None and filled >= quantity:
        return "filled"
    return "partially_filled" if filled and state in ("accepted", "held") else state


def _plain_or_none(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
