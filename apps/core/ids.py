"""Identifiers. The function lives in apps.core.db, since migrations refer to it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from apps.core.db.ids import new_id

__all__ = ["lowest_id", "new_id"]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 2**48 - 1


def lowest_id(at: datetime, *, shifted_by: timedelta = timedelta()) -> UUID:
    """Return the lowest UUIDv7 of a moment: ids sort by creation, so the key's index is an index by time.

    A moment before 1970 has the lowest id of all.
    """
    # A shift is not added to the time itself, which may be the first or the last that there is.
    milliseconds = (at - _EPOCH + shifted_by) // timedelta(milliseconds=1)
    return UUID(int=min(max(milliseconds, 0), _LAST_MILLISECOND) << 80)
