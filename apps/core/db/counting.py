"""Counting that costs no more however much there is: what is watched every few seconds must not add to a backlog."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Min, QuerySet

AT_MOST = 10_000


def count_bounded(rows: QuerySet[Any], *, at_most: int = AT_MOST) -> int:
    """Return how many rows there are, or `at_most` + 1 when there are more."""
    return rows.order_by().values("pk")[: at_most + 1].count()


def count_and_oldest(rows: QuerySet[Any], column: str, *, at_most: int = AT_MOST) -> tuple[int, datetime | None]:
    """Return how many rows there are, as `count_bounded` does, and the earliest `column` among those counted."""
    counted = rows.order_by().values(column)[: at_most + 1]
    found = counted.aggregate(rows=Count("*"), oldest=Min(column))
    return found["rows"], found["oldest"]
