"""Alpaca's scalars. Numbers are strings in the trading API, JSON numbers in market data and in some documentation."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec

from apps.providers.adapters.rejection import clean, reject
from apps.providers.types import RejectedRow, RowKind

LONGEST_TEXT = 300
# What NUMERIC(38,18) holds.
_WHOLE_DIGITS = 20
_PLACES = 18

Id = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,64}$")]
Symbol = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9][A-Z0-9./_-]{0,38}$")]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
Stamp = Annotated[datetime, msgspec.Meta(tz=True)]

Mapped = TypeVar("Mapped")


def mapped(kind: RowKind, raw: Any, build: Callable[[], Mapped]) -> Mapped | RejectedRow:
    """Return what `build` makes of the row, or why it makes nothing."""
    try:
        return build()
    except (msgspec.ValidationError, OverflowError) as error:  # a time in the year 1 has no UTC
        return reject(kind, raw, str(error))


def number(value: Decimal) -> Decimal:
    """Return a number that our columns hold, to 18 decimal places; a negative zero is zero.

    Raises:
        msgspec.ValidationError: it is not finite, or too large.
    """
    if not value.is_finite() or value.adjusted() >= _WHOLE_DIGITS:
        raise msgspec.ValidationError(f"Number out of range: {str(value)[:50]}")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_PLACES:
        value = value.quantize(Decimal(1).scaleb(-_PLACES))
    return +value


def number_or_none(value: Decimal | None) -> Decimal | None:
    """Return the number, if there is one."""
    return None if value is None else number(value)


def in_utc(value: datetime) -> datetime:
    """Return the same instant in UTC; Alpaca writes some in New York's offset."""
    return value.astimezone(UTC)


def text(value: str | None) -> str:
    """Return a text without what PostgreSQL cannot store, bounded."""
    return clean(value or "")[:LONGEST_TEXT]


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that have a value."""
    return {name: value for name, value in values.items() if value is not None}
