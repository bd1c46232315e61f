"""Positions at average cost: what a fill makes of one, and what one is worth.

A buy adds to the cost of a long position at its price; a sell takes out of it at the average price and realises the
difference. A short position mirrors that. A fill through zero closes the one and opens the other at its own price.
Fees are not part of the cost: they are the fill's.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from apps.orders.enums import Side

# As they are stored. Only the average price is rounded (half to even): averaging divides. Realised P&L is computed from
# the stored average and rounded once, so it never depends on how a sum was split.
_PLACES = Decimal(1).scaleb(-18)
_ZERO = Decimal(0)


class Holding(NamedTuple):
    """What is held: negative is short. `average_price` is 0 while nothing is."""

    quantity: Decimal = _ZERO
    average_price: Decimal = _ZERO


class Applied(NamedTuple):
    """A holding after a fill, and what the fill has realised."""

    holding: Holding
    realized: Decimal


def apply_fill(holding: Holding, *, side: Side, quantity: Decimal, price: Decimal) -> Applied:
    """Return the holding after a fill; `quantity` is positive."""
    signed = quantity if side is Side.BUY else -quantity
    held, average = holding
    after = held + signed
    if held * signed >= 0:  # opens a position or adds to one
        return Applied(Holding(after, _rounded((held * average + signed * price) / after)), _ZERO)
    closed = min(abs(held), quantity)
    gain = price - average if held > 0 else average - price
    if held * after <= 0:  # closed, and maybe opened on the other side
        average = price if after else _ZERO
    return Applied(Holding(after, average), _rounded(closed * gain))


def unrealized(holding: Holding, *, bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Return what closing now would realise: a long position sells at the bid, a short one buys at the ask.

    None: the side that it needs is not known.
    """
    value = market_price(holding, bid=bid, ask=ask)
    return None if value is None else _rounded(holding.quantity * (value - holding.average_price))


def market_price(holding: Holding, *, bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Return the price at which the holding could be closed now; 0 while nothing is held."""
    if not holding.quantity:
        return _ZERO
    return bid if holding.quantity > 0 else ask


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, ROUND_HALF_EVEN)
