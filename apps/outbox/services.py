"""Emitting events, and relaying them in their order. Every service emits in the transaction of its change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from apps.core import context
from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.ids import new_id
from apps.core.scope import current_scope, request_wake
from apps.core.sequencing import Stream, sequence_pending
from apps.outbox.models import OutboxCounter, OutboxEvent
from apps.outbox.types import NewEvent

OUTBOX = Stream(rows=OutboxEvent, counters=OutboxCounter, happened_at="occurred_at", stamp="relayed_at")

# A sync emits per row, and bulk_create writes a placeholder per value: arrays are 3 to 4 times as fast (measured).
_INSERT = """
INSERT INTO outbox_event (id, tenant_id, type, schema_version, entity_type, entity_id, data,
                          actor, request_id, traceparent, occurred_at)
SELECT id, %(tenant_id)s::uuid, type, schema_version, entity_type, entity_id, data,
       %(actor)s::jsonb, %(request_id)s, %(traceparent)s, %(now)s
FROM unnest(%(ids)s::uuid[], %(types)s::text[], %(schema_versions)s::smallint[], %(entity_types)s::text[],
            %(entity_ids)s::uuid[], %(data)s::jsonb[]) WITH ORDINALITY
     AS event (id, type, schema_version, entity_type, entity_id, data, ordinal)
ORDER BY ordinal
"""


def emit(event: NewEvent, *, actor: Actor, now: datetime) -> None:
    """Emit one event; call it while the entity's row is locked, so that its events keep their order."""
    emit_many([event], actor=actor, now=now)


def emit_many(events: Sequence[NewEvent], *, actor: Actor, now: datetime) -> None:
    """Emit several events in their order, in one INSERT, in the write scope of the actor's tenant.

    Raises:
        RuntimeError: the open scope is not the actor's write scope; a programming error.
    """
    scope = current_scope()
    if scope is None or not scope.writable or scope.tenant_id != actor.tenant_id:
        raise RuntimeError("events are emitted outside of their actor's write scope")
    if not events:
        return
    shared: dict[str, Any] = {
        "tenant_id": actor.tenant_id,
        "actor": _json(actor.as_json()),
        "request_id": actor.request_id,
        "traceparent": context.current().traceparent,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {**shared, **_columns(events)})
    request_wake("outbox")


def relay_events(*, now: datetime) -> int:
    """Relay one batch of pending events of every tenant: each gets its sequence; return how many."""
    return sequence_pending(OUTBOX, now=now)


def _columns(events: Sequence[NewEvent]) -> dict[str, list[Any]]:
    return {
        "ids": [new_id() for _ in events],
        "types": [event.type for event in events],
        "schema_versions": [event.schema_version for event in events],
        "entity_types": [event.entity_type for event in events],
        "entity_ids": [event.entity_id for event in events],
        "data": [_json(event.data) for event in events],
    }


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(jsonable(value)).decode()
