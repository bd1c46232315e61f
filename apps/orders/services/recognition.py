"""Tells whether an order that a venue shows under our id is the one that was sent (docs/adr/0009-unknown-outcomes)."""

from dataclasses import replace
from decimal import Decimal

from apps.core.money import plain
from apps.orders.models import Order
from apps.providers.trading import OrderRequest, VenueOrder

_TERMS = ("symbol", "side", "type", "quantity", "limit_price", "stop_price", "time_in_force")


def request_of(order: Order) -> OrderRequest:
    """Return an order in the terms of an adapter."""
    return OrderRequest(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force,
    )


def difference(order: Order, told: VenueOrder) -> str:
    """Say in what the venue's order is another one than ours, such as "side: sell, not buy"; "" when it is ours."""
    asked = request_of(order)
    if (asked.type, asked.side, told.type) == ("stop", "buy", "stop_limit"):
        # Alpaca carries a buy stop as a stop-limit order some percent above the stop (docs.alpaca.markets, "Orders at
        # Alpaca": stop order); which of the two it shows is not documented.
        asked = replace(asked, type="stop_limit", limit_price=told.limit_price)
    pairs = [(name, getattr(told, name), getattr(asked, name)) for name in _TERMS]
    return "; ".join(f"{name}: {_text(theirs)}, not {_text(ours)}" for name, theirs, ours in pairs if theirs != ours)


def _text(value: Decimal | str | None) -> str:
    return plain(value) if isinstance(value, Decimal) else value or "none"
