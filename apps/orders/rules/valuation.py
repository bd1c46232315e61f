"""What a proposal may cost and what it may make of a position, at worst."""

from typing import NamedTuple

from apps.orders.enums import OrderType, Side
from apps.orders.rules.snapshot import Proposal, Snapshot
from apps.orders.rules.units import product

# Alpaca values a market buy at up to 4 % above the market and a short sale at 3 % above the ask, or at its limit if
# that is higher (docs.alpaca.markets, "Orders at Alpaca": buying power).
_MARKET_BUY_PERCENT = 104
_SHORT_SALE_PERCENT = 103


class Worst(NamedTuple):
    """What several checks ask for; None where the snapshot does not tell.

    `ask` is that of an orderly quote. `opening` is how much of the order may open a position or add to one: 0 when it
    can only reduce one. `exposure` is the value of the position that it may lead to, `cost` what it may cost.
    """

    ask: int | None
    opening: int | None
    exposure: int | None
    cost: int | None

    @property
    def only_reduces(self) -> bool:
        """Whether the order adds no risk."""
        return self.opening == 0


class Standing(NamedTuple):
    """What the account holds of the instrument and has on order, as in `Snapshot`."""

    position: int
    open_buys: int = 0
    open_sells: int = 0
    open_buys_above: int = 0
    open_sells_above: int = 0


def assess(snapshot: Snapshot, proposal: Proposal) -> Worst:
    """Return the worst that the proposal may do."""
    bid, ask = snapshot.bid, snapshot.ask
    if bid is None or ask is None or not 0 < bid <= ask:
        ask = None
    standing = _standing_of(snapshot)
    if standing is None:
        return Worst(ask, None, None, None)
    opening = opening_quantity(proposal, standing)
    if ask is None:
        return Worst(None, opening, None, None)
    exposure = worst_exposure(proposal, standing, ask=ask)
    return Worst(ask, opening, exposure, product(opening, worst_price(proposal, ask)))


def _standing_of(snapshot: Snapshot) -> Standing | None:
    """Return what the snapshot says of the instrument; None: not all of it, or nonsense."""
    position, buys, sells = snapshot.position, snapshot.open_buys, snapshot.open_sells
    buys_above, sells_above = snapshot.open_buys_above, snapshot.open_sells_above
    if position is None or buys is None or sells is None or buys_above is None or sells_above is None:
        return None
    if min(buys, sells, buys_above, sells_above) < 0:
        return None
    return Standing(position, buys, sells, buys_above, sells_above)


def worst_price(proposal: Proposal, ask: int) -> int:
    """Return the price at which the order is valued."""
    limit, stop = proposal.limit_price or 0, proposal.stop_price or 0
    if proposal.side is Side.SELL:
        return max(limit, stop, _percent(ask, _SHORT_SALE_PERCENT))
    if is_priced(proposal):
        return limit
    # A stop becomes a market order once the market has reached it.
    return _percent(max(ask, stop), _MARKET_BUY_PERCENT)


def is_priced(proposal: Proposal) -> bool:
    """Tell whether the order itself says at which price it is valued: whoever buys at a limit pays no more."""
    has_limit = proposal.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) and bool(proposal.limit_price)
    return proposal.side is Side.BUY and has_limit


def worst_quantity(proposal: Proposal) -> int:
    """Return what may be executed: of an order and the one that it replaces, one or the other."""
    return max(proposal.quantity, proposal.replaced_remaining)


def opening_quantity(proposal: Proposal, standing: Standing) -> int:
    """Return how much of the order may open a position or add to one; 0 when it can only reduce one.

    The open orders of its side are taken to be executed before it, those of the other side not at all.
    """
    buying = proposal.side is Side.BUY
    reducible = -standing.position - standing.open_buys if buying else standing.position - standing.open_sells
    quantity = worst_quantity(proposal)
    return quantity - min(quantity, max(0, reducible + proposal.replaced_remaining))


def worst_exposure(proposal: Proposal, standing: Standing, *, ask: int) -> int:
    """Return the value of the largest position, long or short, that open orders and this one may lead to.

    What is there is valued at the ask, what is open at its own price if that is higher, this order at its worst price.
    """
    quantity, price, replaced = worst_quantity(proposal), worst_price(proposal, ask), proposal.replaced_remaining
    buying = proposal.side is Side.BUY
    long = standing.position + standing.open_buys - (replaced if buying else 0)
    short = standing.open_sells - standing.position - (0 if buying else replaced)
    return max(
        _value(long, ask, standing.open_buys_above, quantity if buying else 0, price),
        _value(short, ask, standing.open_sells_above, 0 if buying else quantity, price),
    )


def _value(before: int, mark: int, above: int, quantity: int, price: int) -> int:
    """Value a position in one direction; what lies in the other direction before it is used up first."""
    if before + quantity <= 0:
        return 0
    if before >= 0:
        return product(before, mark) + above + product(quantity, price)
    return product(before + quantity, price) + above


def _percent(value: int, percent: int) -> int:
    return -(-value * percent // 100)
