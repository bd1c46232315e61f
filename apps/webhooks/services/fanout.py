"""From relayed events to deliveries, in the transaction that relays them: each event once for each endpoint."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Q

from apps.core.canonical import jsonable
from apps.core.scope import request_wake
from apps.outbox.services import RelayedBatch
from apps.outbox.types import RelayedEvent
from apps.webhooks.enums import EndpointStatus
from apps.webhooks.models import Endpoint
from apps.webhooks.services import queueing
from apps.webhooks.subscriptions import matches
from apps.webhooks.types import Message

# The relay goes from tenant to tenant: one whose endpoint someone has locked is late, not all those behind it.
_PATIENCE = "SET LOCAL lock_timeout = '500ms'"


def fan_out(batch: RelayedBatch) -> None:
    """Queue a batch of events for every enabled endpoint that has subscribed to them; a hook of the outbox.

    For one that was given up as failing they are kept.
    """
    is_open = Q(status=EndpointStatus.ENABLED) | Q(held_until__gt=batch.now)
    listening = Endpoint.objects.filter(is_open, tenant_id=batch.tenant_id)
    if not listening.exists():
        return
    with connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
    # By id, as everyone locks them who locks several.
    endpoints = list(listening.order_by("id").select_for_update(no_key=True))
    wanted = [
        (endpoint.id, index)
        for endpoint in endpoints
        for index, event in enumerate(batch.events)
        if matches(endpoint.event_types, event.type)
    ]
    if not wanted:
        return
    tails = {endpoint.id: queueing.Tail(endpoint.last_sequence, endpoint.last_delivery_id) for endpoint in endpoints}
    messages = [message_of(event) for event in batch.events]
    held = {endpoint.id for endpoint in endpoints if endpoint.status != EndpointStatus.ENABLED}
    queueing.add(messages, wanted, tenant_id=batch.tenant_id, tails=tails, held=held, now=batch.now)
    request_wake("webhooks")


def message_of(event: RelayedEvent) -> Message:
    """Return what is sent of an event; its data is JSON already."""
    return message(event.id, event.type, event.entity_id, at=event.occurred_at, data=event.data)


def message(event_id: UUID, event_type: str, entity_id: UUID, *, at: datetime, data: Mapping[str, Any]) -> Message:
    """Return a message: type, time and data as compact JSON."""
    body = msgspec.json.encode({"type": event_type, "timestamp": jsonable(at), "data": data}).decode()
    return Message(event_id=event_id, event_type=event_type, entity_id=entity_id, occurred_at=at, body=body)
