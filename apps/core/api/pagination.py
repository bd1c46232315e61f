"""Keyset pagination: constant cost at any depth, and stable while rows are added."""

import base64
import binascii
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db.models import Model, Q, QuerySet

from apps.core.errors import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


def encode_cursor(values: Sequence[Any]) -> str:
    """Return the opaque cursor for a row's ordering values."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(values))).decode().rstrip("=")


def decode_cursor(cursor: str, types: Sequence[Any]) -> list[Any]:
    """Return the ordering values of a cursor.

    Raises:
        InvalidCursor: not a cursor, or one of another list.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = msgspec.json.decode(raw, type=list[Any])
        if len(values) != len(types):
            raise InvalidCursor
        return [msgspec.convert(value, kind) for value, kind in zip(values, types, strict=True)]
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise InvalidCursor from error


def page(
    queryset: QuerySet[Any], *, ordering: Sequence[str], limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    """Return one page of rows and the cursor of the next, or None at the end.

    `ordering` are field names that together are unique, all ascending or all descending ("-"), so that one
    index range serves the page.
    """
    fields = [name.lstrip("-") for name in ordering]
    operator = "lt" if ordering[0].startswith("-") else "gt"
    queryset = queryset.order_by(*ordering)
    if cursor:
        types = [_python_type(queryset.model, name) for name in fields]
        queryset = queryset.filter(_after(fields, decode_cursor(cursor, types), operator))
    rows = list(queryset[: limit + 1])
    if len(rows) <= limit:
        return rows, None
    rows = rows[:limit]
    return rows, encode_cursor([getattr(rows[-1], name) for name in fields])


def _after(fields: Sequence[str], values: Sequence[Any], operator: str) -> Q:
    condition = Q(**{f"{fields[-1]}__{operator}": values[-1]})
    for name, value in reversed(list(zip(fields[:-1], values[:-1], strict=True))):
        # The redundant bound on the leading column lets the planner start the index scan at the cursor.
        condition = Q(**{f"{name}__{operator}e": value}) & (Q(**{f"{name}__{operator}": value}) | condition)
    return condition


_TYPES: dict[str, Any] = {
    "UUIDField": UUID,
    "CharField": Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")],
    "DateTimeField": Annotated[datetime, msgspec.Meta(tz=True)],
    "DateField": date,
    "BigIntegerField": int,
    "PositiveIntegerField": int,
}


def _python_type(model: type[Model], name: str) -> Any:
    return _TYPES[model._meta.get_field(name).get_internal_type()]
