"""Positions at average cost: what a fill makes of one, and what one is worth.

A buy adds to the cost of a long position at its price; a sell takes out of it at the average price and realises the
difference. A short position mirrors that. A fill through zero closes the one and opens the other at its own price.
Fees are not part of the cost: they are the fill's.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from apps.orders.enums import Side

# Averaging divides, so the average price is rounded (half to even), as it is stored. A gain is computed from it, and
# rounded to places that its error does not reach: three at 100.003333333333333333 have cost 300.01.
_PLACES = Decimal(1).scaleb(-18)
_GAIN_PLACES = Decimal(1).scaleb(-9)
_ZERO = Decimal(0)


class Holding(NamedTuple):
    """What is held: negative is short. `average_price` is 0 while nothing is."""

    quantity: Decimal = _ZERO
    average_price: Decimal = _ZERO


class Applied(NamedTuple):
    """A holding after a fill, and what the fill has realised."""

    holding: Holding
    realized: Decimal


class Worth(NamedTuple):
    """What a holding is worth at a quote; None where the side of the quote that it needs is not known."""

    price: Decimal | None
    value: Decimal | None
    unrealized: Decimal | None


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
    return Applied(Holding(after, average), _gain(closed * gain))


def worth(holding: Holding, *, bid: Decimal | None, ask: Decimal | None) -> Worth:
    """Return what closing the holding now would bring: a long one sells at the bid, a short one buys at the ask."""
    quantity, average = holding
    price = ask if quantity < 0 else bid
    if not quantity:
        return Worth(price, _ZERO, _ZERO)
    if price is None:
        return Worth(None, None, None)
    return Worth(price, _rounded(quantity * price), _gain(quantity * (price - average)))


def _gain(value: Decimal) -> Decimal:
    return value.quantize(_GAIN_PLACES, ROUND_HALF_EVEN)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, ROUND_HALF_EVEN)
