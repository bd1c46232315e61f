"""Events for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.outbox.catalogue import example
from apps.outbox.models import OutboxEvent
from apps.outbox.services import emit
from apps.outbox.types import NewEvent
from tests import databases

_MULTIPLY = """
INSERT INTO outbox_event (id, tenant_id, type, schema_version, entity_type, entity_id, data, actor, request_id,
                          traceparent, occurred_at)
SELECT gen_random_uuid(), tenant_id, type, schema_version, entity_type, entity_id, data, actor, request_id,
       traceparent, occurred_at
FROM outbox_event, generate_series(1, %(times)s) WHERE id = %(id)s
"""
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def new_event(
    type: str = "order.submitted",
    *,
    entity_type: str = "order",
    entity_id: UUID | None = None,
    data: Mapping[str, Any] | None = None,
) -> NewEvent:
    """Return an event that is not emitted yet: its type's example, but for what `data` says."""
    told = {**example(type), **(data or {})}
    return NewEvent(type=type, entity_type=entity_type, entity_id=entity_id or new_id(), data=told)


def beside(type: str, plain: str = "order.accepted") -> dict[str, Any]:
    """Return what an event of a type tells beside what one of the `plain` type tells, such as a fill or a reason."""
    return {field: value for field, value in example(type).items() if field not in example(plain)}


def make_event(
    tenant_id: UUID,
    *,
    type: str = "order.submitted",
    entity_type: str = "order",
    entity_id: UUID | None = None,
    data: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
    now: datetime = NOW,
) -> OutboxEvent:
    """Emit one event in a write scope of its own and return it; its data is `new_event`'s."""
    actor = actor or system_actor("tests", tenant_id=tenant_id)
    with write_scope(actor):
        emit(new_event(type, entity_type=entity_type, entity_id=entity_id, data=data), actor=actor, now=now)
        return OutboxEvent.objects.filter(tenant_id=tenant_id).latest("position")


def multiply(event: OutboxEvent, times: int, *, database: str) -> None:
    """Add so many pending events like this one, of the same entity: what a bulk of emitting would leave, at once."""
    with databases.as_owner(database) as owner:
        owner.execute(_MULTIPLY, {"times": times, "id": event.id})
