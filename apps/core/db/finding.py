"""Finding one row, or saying that there is none."""

from typing import Any, TypeVar

from django.db.models import QuerySet

from apps.core.errors import NotFound

Row = TypeVar("Row")


def get_one(rows: QuerySet[Any, Row]) -> Row:
    """Return the row that a queryset names, or the first of several.

    Raises:
        NotFound: there is none.
    """
    row = rows.first()
    if row is None:
        raise NotFound
    return row
