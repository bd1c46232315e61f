"""Forgetting deliveries that ended long ago, with their attempts: each endpoint's from the beginning of its queue on.

What is left of a queue has no gap, and the endpoint knows where it begins. So a delivery that waits, or ended not long
ago, keeps those after it.
"""

from datetime import datetime
from itertools import takewhile
from uuid import UUID

from django.db import connection
from django.db.models import Max

from apps.core.scope import system_scope
from apps.outbox.models import OutboxEvent
from apps.webhooks.models import Delivery, Endpoint

FORGET_BATCH = 1_000
_ENDPOINTS = 100
# One look into an index for each endpoint: at the first delivery that it has.
_FORGETTABLE = """
SELECT endpoint.id FROM webhooks_endpoint AS endpoint
 WHERE EXISTS (SELECT FROM webhooks_delivery AS delivery
                WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id
                  AND delivery.sequence = endpoint.forgotten_up_to + 1 AND delivery.finished_at < %s)
 ORDER BY endpoint.id LIMIT %s
"""
_DELETE_ATTEMPTS = "DELETE FROM webhooks_deliveryattempt WHERE delivery_id = ANY(%s)"
_DELETE_DELIVERIES = "DELETE FROM webhooks_delivery WHERE id = ANY(%s)"


def forgettable_endpoints(*, before: datetime) -> list[UUID]:
    """Return endpoints, a hundred at most, whose queue begins with a delivery that ended before a moment."""
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_FORGETTABLE, [before, _ENDPOINTS])
        return [endpoint_id for (endpoint_id,) in cursor.fetchall()]


def forget_deliveries(*, endpoint_id: UUID, before: datetime, batch: int = FORGET_BATCH) -> int:
    """Delete a batch of an endpoint's first deliveries, those that ended before a moment; return how many."""
    with system_scope(), connection.cursor() as cursor:
        # Under the lock that orders whatever changes the queue: nobody sends one of them again meanwhile.
        endpoint = Endpoint.objects.select_for_update(no_key=True).get(id=endpoint_id)
        queue = Delivery.objects.filter(
            tenant_id=endpoint.tenant_id, endpoint_id=endpoint_id, sequence__gt=endpoint.forgotten_up_to
        )
        first = queue.order_by("sequence").only("sequence", "event_id", "finished_at")[:batch]
        over = list(takewhile(lambda one: one.finished_at is not None and one.finished_at < before, first))
        if not over:
            return 0
        ids = [one.id for one in over]
        cursor.execute(_DELETE_ATTEMPTS, [ids])
        cursor.execute(_DELETE_DELIVERIES, [ids])
        # A test's event is in no outbox.
        events = OutboxEvent.objects.filter(id__in=[one.event_id for one in over])
        newest = events.aggregate(newest=Max("sequence"))["newest"]
        Endpoint.objects.filter(id=endpoint_id).update(
            forgotten_up_to=over[-1].sequence, events_forgotten_up_to=newest or endpoint.events_forgotten_up_to
        )
    return len(over)
