"""The day by hour: the current hour and the 23 before it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

HOURS = 24


def day_of(now: datetime) -> Sequence[datetime]:
    """Return the beginnings of the day's hours, the earliest first."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    return [first + timedelta(hours=hour) for hour in range(HOURS)]
