"""What every change of an endpoint ends with: its leaf, its event."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.outbox import services as outbox
from apps.webhooks import events
from apps.webhooks.models import Endpoint


def record(what: str, endpoint_id: UUID, changes: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Leave the leaf of what was done to an endpoint."""
    audit.record(
        action=what, actor=actor, target_type="webhook_endpoint", target_id=endpoint_id, now=now, changes=changes
    )


def tell(
    what: str,
    endpoint: Endpoint,
    changes: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Leave the leaf and the event of a change; `told` stands in the event beside the endpoint."""
    record(what, endpoint.id, changes, actor, now)
    outbox.emit(events.endpoint_event(what, endpoint, told or {}), actor=actor, now=now)
