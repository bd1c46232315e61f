"""What every change of the room ends with: its leaf and its event, which are about the same thing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.audit.types import Personal
from apps.core.actor import Actor
from apps.outbox import services as outbox
from apps.outbox.types import NewEvent


def tell(
    event: NewEvent, changes: Mapping[str, Any], actor: Actor, now: datetime, personal: Personal | None = None
) -> None:
    """Leave the leaf that is called as the event is, and emit the event."""
    audit.record(
        action=event.type,
        actor=actor,
        target_type=event.entity_type,
        target_id=event.entity_id,
        now=now,
        changes=changes,
        personal=personal,
    )
    outbox.emit(event, actor=actor, now=now)
