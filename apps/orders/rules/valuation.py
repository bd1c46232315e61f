"""What a proposal may cost and what it may make of a position, at worst."""

from apps.orders.enums import OrderType, Side
from apps.orders.rules.snapshot import Proposal
from apps.orders.rules.units import product

# Alpaca values a market buy at up to 4 % above the market and a short sale at 3 % above the ask, or at its limit if
# that is higher (docs.alpaca.markets, "Orders at Alpaca": buying power).
_MARKET_BUY_PERCENT = 104
_SHORT_SALE_PERCENT = 103


def worst_price(proposal: Proposal, ask: int) -> int:
    """Return the price at which the order is valued."""
    limit, stop = proposal.limit_price or 0, proposal.stop_price or 0
    if proposal.side is Side.SELL:
        return max(limit, stop, _percent(ask, _SHORT_SALE_PERCENT))
    if limit and proposal.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        return limit
    # A stop becomes a market order once the market has reached it.
    return _percent(max(ask, stop), _MARKET_BUY_PERCENT)


def worst_quantity(proposal: Proposal) -> int:
    """Return what may be executed: of an order and the one that it replaces, one or the other."""
    return max(proposal.quantity, proposal.replaced_remaining)


def opening_quantity(proposal: Proposal, *, position: int, open_buys: int, open_sells: int) -> int:
    """Return how much of the order may open a position or add to one; 0 when it can only reduce one.

    The open orders of its side are taken to be executed before it, those of the other side not at all.
    """
    reducible = -position - open_buys if proposal.side is Side.BUY else position - open_sells
    quantity = worst_quantity(proposal)
    return quantity - min(quantity, max(0, reducible + proposal.replaced_remaining))


def worst_exposure(proposal: Proposal, *, ask: int, position: int, open_buys: int, open_sells: int) -> int:
    """Return the value of the largest position, long or short, that open orders and this one may lead to.

    What is there and what is open is valued at the ask, this order at its worst price.
    """
    quantity, price, replaced = worst_quantity(proposal), worst_price(proposal, ask), proposal.replaced_remaining
    buying = proposal.side is Side.BUY
    long = position + open_buys - (replaced if buying else 0)
    short = open_sells - position - (0 if buying else replaced)
    return max(
        _value(long, ask, quantity if buying else 0, price),
        _value(short, ask, 0 if buying else quantity, price),
    )


def _value(before: int, mark: int, quantity: int, price: int) -> int:
    """Value a position in one direction; what lies in the other direction before it is used up first."""
    if before >= 0:
        return product(before, mark) + product(quantity, price)
    return product(max(0, before + quantity), price)


def _percent(value: int, percent: int) -> int:
    return -(-value * percent // 100)
