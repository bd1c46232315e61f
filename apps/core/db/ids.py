"""Identifiers: UUIDv7 (RFC 9562), so that keys sort by creation time and big tables partition by id range."""

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """Return a new UUIDv7."""
    return compat.uuid7()
