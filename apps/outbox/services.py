"""Emitting events, and relaying them in their order. Every service emits in the transaction of its change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core import context
from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.scope import current_scope, request_wake
from apps.core.sequencing import Stream, sequence_pending
from apps.outbox.models import OutboxCounter, OutboxEvent
from apps.outbox.types import NewEvent

OUTBOX = Stream(rows=OutboxEvent, counters=OutboxCounter, happened_at="occurred_at", stamp="relayed_at")


def emit(*, type: str, entity_type: str, entity_id: UUID, data: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Emit one event; call it while the entity's row is locked, so that its events keep their order."""
    emit_many([NewEvent(type=type, entity_type=entity_type, entity_id=entity_id, data=data)], actor=actor, now=now)


def emit_many(events: Sequence[NewEvent], *, actor: Actor, now: datetime) -> None:
    """Emit several events in their order, in one INSERT, in the write scope of the actor's tenant.

    Raises:
        RuntimeError: the open scope is not the actor's; a programming error.
    """
    scope = current_scope()
    if actor.tenant_id is None or scope is None or scope.tenant_id != actor.tenant_id:
        raise RuntimeError("events are emitted outside of their actor's scope")
    if not events:
        return
    OutboxEvent.objects.bulk_create([_row(event, actor.tenant_id, actor, now) for event in events])
    request_wake("outbox")


def _row(event: NewEvent, tenant_id: UUID, actor: Actor, now: datetime) -> OutboxEvent:
    return OutboxEvent(
        tenant_id=tenant_id,
        type=event.type,
        schema_version=event.schema_version,
        entity_type=event.entity_type,
        entity_id=event.entity_id,
        data=jsonable(event.data),
        actor=actor.as_json(),
        request_id=actor.request_id,
        traceparent=context.current().traceparent,
        occurred_at=now,
    )


def relay_events(*, now: datetime) -> int:
    """Relay one batch of pending events of every tenant: each gets its sequence; return how many."""
    return sequence_pending(OUTBOX, now=now)
