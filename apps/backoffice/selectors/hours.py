"""The day by hour: the current hour and the 23 before it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncHour

HOURS = 24


def day_of(now: datetime) -> Sequence[datetime]:
    """Return the beginnings of the day's hours, the earliest first."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    return [first + timedelta(hours=hour) for hour in range(HOURS)]


def counts_by_hour(
    rows: QuerySet[Any], hours: Sequence[datetime], key: Callable[[str], str] = str
) -> tuple[Sequence[tuple[datetime, Mapping[str, int]]], Counter[str]]:
    """Return how many of the rows were created in each hour, by the key of their status; and in all, by status."""
    by_hour: dict[datetime, Counter[str]] = {at: Counter() for at in hours}
    statuses: Counter[str] = Counter()
    counted = (
        rows.annotate(hour=TruncHour("created_at")).values("hour", "status").annotate(count=Count("id")).order_by()
    )
    for row in counted:
        by_hour.setdefault(row["hour"], Counter())[key(row["status"])] += row["count"]
        statuses[row["status"]] += row["count"]
    return [(at, by_hour[at]) for at in hours], statuses
