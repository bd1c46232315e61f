"""The integers that the rules compute in, and their way in and out.

A quantity, a price, an amount of money and a share of 1 are integers of 10^-9; a time is in microseconds since the
epoch. Prices and quantities of orders have no more decimal places than that (see parameters.py); means may have, and
are rounded against the client.
"""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

DIGITS = 9
ONE: int = 10**DIGITS
SECOND = 1_000_000
MINUTE = 60 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def floor_units(value: Decimal) -> int:
    """Return the decimal in units, rounded down: for what the client has."""
    return int(value.scaleb(DIGITS).to_integral_value(ROUND_FLOOR))


def ceil_units(value: Decimal) -> int:
    """Return the decimal in units, rounded up: for what the client owes."""
    return int(value.scaleb(DIGITS).to_integral_value(ROUND_CEILING))


def to_decimal(units: int) -> Decimal:
    """Return the exact decimal of units."""
    return Decimal(units).scaleb(-DIGITS)


def plain(units: int) -> str:
    """Return units as a plain decimal, without exponent or trailing zeros.

    >>> plain(-190_250_000_000)
    '-190.25'
    """
    whole, part = divmod(abs(units), ONE)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part:0{DIGITS}d}".rstrip("0").rstrip(".")


def micros(at: datetime) -> int:
    """Return an aware time in microseconds since the epoch, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(at: int) -> datetime:
    """Return the time, in UTC, that `micros` made a number of."""
    return _EPOCH + timedelta(microseconds=at)


def product(quantity: int, price: int) -> int:
    """Return quantity times price in units of money, rounded up: every product here is a cost or a risk."""
    return -(-quantity * price // ONE)
