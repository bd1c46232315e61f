"""When something that waits has waited too long."""

from datetime import timedelta

from apps.core.admin import number
from apps.core.admin.panels import Tone
from apps.core.db.counting import AT_MOST

# A queue that has waited this long has no worker, or not enough of them.
LATE, VERY_LATE = timedelta(seconds=30), timedelta(minutes=5)


def lateness(age: timedelta) -> Tone:
    """Return how bad it is that something waits for so long."""
    return "bad" if age >= VERY_LATE else ("warn" if age >= LATE else "ok")


def bounded(count: int) -> str:
    """Return a count that stops at AT_MOST + 1."""
    return f"{number(AT_MOST)}+" if count > AT_MOST else number(count)
