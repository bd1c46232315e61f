"""Webhook endpoints, what is queued for them, and senders for tests."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import system_scope, tenant_scope
from apps.outbox.services import relay_events
from apps.tenants.models import Tenant
from apps.webhooks.models import Delivery, DeliveryAttempt, Endpoint
from apps.webhooks.sending import Sender
from apps.webhooks.services import NewEndpoint, claim, create_endpoint, settle
from apps.webhooks.types import Attempt
from tests.factories.outbox import make_event

NOWHERE = "http://127.0.0.1:9/hook"


def make_endpoint(
    tenant: Tenant,
    url: str = NOWHERE,
    *,
    event_types: Sequence[str] = ("order.*",),
    description: str = "",
    now: datetime | None = None,
    **options: Any,
) -> NewEndpoint:
    """Create an endpoint that asks for what happens to orders; return it with its secret."""
    return create_endpoint(
        url=url,
        event_types=event_types,
        description=description,
        **options,
        actor=system_actor("tests", tenant_id=tenant.id),
        now=now or clock.now(),
    )


def relay(
    tenant: Tenant,
    *,
    type: str = "order.submitted",
    entity_id: UUID | None = None,
    data: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> UUID:
    """Emit an event and relay everything that waits, logged in as finops_worker; return the event's id."""
    now = now or clock.now()
    event = make_event(tenant.id, type=type, entity_id=entity_id, data=data, now=now)
    relay_events(now=now)
    return event.id


def send_due(now: datetime | None = None, *, seed: int = 1, **options: Any) -> int:
    """Send what is due, as the worker does, and return how many requests were made; `now` stops the clock."""
    tick = (lambda: now) if now else clock.now
    return asyncio.run(Sender(tick=tick, random=Random(seed), **options).run(until_idle=True))


def answer_due(
    now: datetime | None = None, *, status: int = 500, error: str = "http_error", duration_ms: int = 12
) -> int:
    """Settle everything that is due as so answered, without sending it; return how many that was."""
    now = now or clock.now()
    claims = claim(slots=1_000, shares={}, rooms={}, default_room=1_000, now=now)
    attempts = [
        Attempt(claim=one, at=now, duration_ms=duration_ms, status_code=status, error=error, response_excerpt="no")
        for one in claims
    ]
    settle(attempts, random=Random(1), now=now)
    return len(claims)


def fail_due(now: datetime | None = None) -> int:
    """Settle everything that is due as refused with a 500, without sending it; return how many that was."""
    return answer_due(now)


def stored_endpoint(endpoint: Endpoint) -> Endpoint:
    """Read an endpoint anew."""
    with tenant_scope(endpoint.tenant_id):
        return Endpoint.objects.get(id=endpoint.id)


def deliveries_of(endpoint: Endpoint) -> list[Delivery]:
    """Return an endpoint's deliveries in their sequence."""
    with tenant_scope(endpoint.tenant_id):
        return list(Delivery.objects.filter(endpoint_id=endpoint.id).order_by("sequence"))


def statuses_of(endpoint: Endpoint) -> list[str]:
    """Return the statuses of an endpoint's deliveries, in their sequence."""
    return [delivery.status for delivery in deliveries_of(endpoint)]


def attempts_of(delivery: Delivery) -> list[DeliveryAttempt]:
    """Return a delivery's attempts, the first one first."""
    with tenant_scope(delivery.tenant_id):
        return list(DeliveryAttempt.objects.filter(delivery_id=delivery.id).order_by("id"))


def count_deliveries(**filters: Any) -> int:
    """Count deliveries of all tenants."""
    with system_scope():
        return Delivery.objects.filter(**filters).count()
