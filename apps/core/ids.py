"""Identifiers. The function lives in apps.core.db, since migrations refer to it."""

from datetime import datetime
from uuid import UUID

from apps.core.db.ids import new_id

__all__ = ["lowest_id", "new_id"]


def lowest_id(at: datetime) -> UUID:
    """Return the lowest UUIDv7 of a moment: ids sort by creation, so the key's index is an index by time."""
    return UUID(int=int(at.timestamp() * 1000) << 80)
