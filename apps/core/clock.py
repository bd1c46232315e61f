"""The one place that reads the time. Services take `now`; interfaces and tasks call this."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)
