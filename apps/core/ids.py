"""Identifiers. The function lives in apps.core.db, since migrations refer to it."""

from apps.core.db.ids import new_id

__all__ = ["new_id"]
