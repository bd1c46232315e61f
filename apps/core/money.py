"""Exact decimals: the process-wide context and the wire notation."""

import decimal
from decimal import Decimal

# NUMERIC(38,18) products need 76 digits; Python's default of 28 would round even a single stored value.
PRECISION = 78


def set_decimal_context() -> None:
    """Make Decimal exact and refuse floats, in this thread and in every thread that starts later.

    A thread copies DefaultContext when it first uses decimal, so this runs before threads start.
    """
    for context in (decimal.DefaultContext, decimal.getcontext()):
        context.prec = PRECISION
        context.traps[decimal.FloatOperation] = True


def plain(value: Decimal) -> str:
    """Return the number in plain notation, without exponent, trailing zeros or a negative zero.

    >>> plain(Decimal("1.50E+3"))
    '1500'
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


# ISO 4217, list one: the currencies whose minor unit is not a hundredth.
_MINOR_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def minor_digits(currency: str) -> int:
    """Return how many decimal places an amount of a currency has: 2 for what ISO 4217 does not know."""
    return _MINOR_DIGITS.get(currency, 2)
