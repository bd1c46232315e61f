"""The average price of executions."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

_PLACES = Decimal(1).scaleb(-18)


def average_price(executions: Iterable[tuple[Decimal, Decimal]]) -> Decimal | None:
    """Return the average price of (quantity, price) pairs, weighted and to 18 places; None without any."""
    pairs = list(executions)
    quantity = sum((each for each, _price in pairs), Decimal(0))
    if not quantity:
        return None
    value = sum((each * price for each, price in pairs), Decimal(0))
    return (value / quantity).quantize(_PLACES, ROUND_HALF_EVEN)
