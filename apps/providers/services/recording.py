"""The leaf of what was done to a connection."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audit import services as audit
from apps.core.actor import Actor


def record(action: str, connection_id: UUID, changes: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Leave a leaf about a connection, in its write scope."""
    audit.record(
        action=action, actor=actor, target_type="connection", target_id=connection_id, now=now, changes=changes
    )
