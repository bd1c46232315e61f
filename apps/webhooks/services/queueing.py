"""An endpoint's queue: what is put in, what is armed, what is thrown out. The callers hold the endpoint's row lock.

That lock is the order of everything here. Whoever adds to a lane looks whether something is pending in it, and
whoever ends a delivery arms the next one of its lane; without the lock each could miss the other, and a delivery
would wait for a turn that nobody gives it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet

from apps.core.ids import new_id
from apps.webhooks.enums import DeliveryStatus
from apps.webhooks.models import Delivery, Recovery
from apps.webhooks.types import Message


@dataclass(slots=True)
class Tail:
    """The end of an endpoint's queue: the last sequence given, and to which delivery."""

    sequence: int
    delivery_id: UUID | None


Lane = tuple[UUID, UUID]
"""An endpoint's id and an entity's: what is sent in order."""

# Each event's body goes over the wire once, however many endpoints get it. `leads` says that no earlier message of
# this statement is in the same lane. The relay looks at its clock before it reads, so an event may be younger: its
# delivery is not older than it. While a recovery is at work, what is new waits behind what that is to queue.
_INSERT = """
INSERT INTO webhooks_delivery (id, tenant_id, endpoint_id, event_id, event_type, entity_id, sequence, previous_id,
                               body, status, attempt_count, fence, created_at, next_attempt_at, finished_at)
SELECT new.id, %(tenant_id)s, new.endpoint_id, message.event_id, message.event_type, message.entity_id, new.sequence,
       new.previous_id, message.body, CASE WHEN new.held THEN 'discarded' ELSE 'pending' END, 0, 0,
       greatest(%(now)s, message.occurred_at),
       CASE WHEN new.leads AND NOT new.held AND (
           SELECT earlier.id FROM webhooks_delivery AS earlier
            WHERE earlier.endpoint_id = new.endpoint_id AND earlier.entity_id = message.entity_id
              AND earlier.status = 'pending' ORDER BY earlier.sequence LIMIT 1) IS NULL AND NOT EXISTS (
           SELECT FROM webhooks_recovery AS recovery
            WHERE recovery.tenant_id = %(tenant_id)s AND recovery.endpoint_id = new.endpoint_id
              AND recovery.finished_at IS NULL) THEN %(now)s::timestamptz END,
       CASE WHEN new.held THEN %(now)s::timestamptz END
  FROM unnest(%(ids)s::uuid[], %(endpoint_ids)s::uuid[], %(sequences)s::bigint[], %(previous_ids)s::uuid[],
              %(numbers)s::int[], %(leads)s::boolean[], %(held)s::boolean[])
       AS new (id, endpoint_id, sequence, previous_id, number, leads, held)
  JOIN unnest(%(event_ids)s::uuid[], %(event_types)s::text[], %(entity_ids)s::uuid[], %(times)s::timestamptz[],
              %(bodies)s::text[])
       WITH ORDINALITY AS message (event_id, event_type, entity_id, occurred_at, body, number)
       ON message.number = new.number
"""
_ADVANCE = """
UPDATE webhooks_endpoint AS endpoint SET last_sequence = tail.sequence, last_delivery_id = tail.delivery_id
  FROM unnest(%(ids)s::uuid[], %(sequences)s::bigint[], %(delivery_ids)s::uuid[]) AS tail (id, sequence, delivery_id)
 WHERE endpoint.id = tail.id
"""
_ARM = """
UPDATE webhooks_delivery AS delivery SET next_attempt_at = %(now)s
 WHERE delivery.next_attempt_at IS NULL AND NOT EXISTS (
       SELECT FROM webhooks_recovery AS recovery
        WHERE recovery.tenant_id = delivery.tenant_id AND recovery.endpoint_id = delivery.endpoint_id
          AND recovery.finished_at IS NULL AND recovery.queued_up_to < delivery.sequence)
   AND delivery.id = ANY(ARRAY(
       SELECT (SELECT first.id FROM webhooks_delivery AS first
                WHERE first.endpoint_id = lane.endpoint_id AND first.entity_id = lane.entity_id
                  AND first.status = 'pending' ORDER BY first.sequence LIMIT 1)
         FROM (SELECT DISTINCT * FROM unnest(%(endpoint_ids)s::uuid[], %(entity_ids)s::uuid[])
                   AS given (endpoint_id, entity_id)) AS lane))
"""
# One look into an index for each delivery that waits.
_ARM_REST = """
UPDATE webhooks_delivery AS delivery SET next_attempt_at = %(now)s
 WHERE delivery.endpoint_id = %(endpoint_id)s AND delivery.status = 'pending' AND delivery.next_attempt_at IS NULL
   AND delivery.id = (SELECT first.id FROM webhooks_delivery AS first
                       WHERE first.endpoint_id = delivery.endpoint_id AND first.entity_id = delivery.entity_id
                         AND first.status = 'pending' ORDER BY first.sequence LIMIT 1)
"""
# Of lanes that have lost something which stands before; what is on the wire is not called back.
_HOLD_BACK = """
WITH lost AS MATERIALIZED (
    SELECT entity_id, min(sequence) AS sequence FROM webhooks_delivery
     WHERE tenant_id = %(tenant_id)s AND endpoint_id = %(endpoint_id)s AND status IN ('failed', 'discarded')
       AND sequence > %(after)s AND created_at >= %(since)s AND finished_at <= %(until)s GROUP BY entity_id)
UPDATE webhooks_delivery AS delivery SET next_attempt_at = NULL FROM lost
 WHERE delivery.tenant_id = %(tenant_id)s AND delivery.endpoint_id = %(endpoint_id)s AND delivery.status = 'pending'
   AND delivery.next_attempt_at IS NOT NULL AND (delivery.leased_until IS NULL OR delivery.leased_until <= %(now)s)
   AND delivery.entity_id = lost.entity_id AND delivery.sequence > lost.sequence
"""
_DISCARD = """
UPDATE webhooks_delivery
   SET status = 'discarded', fence = fence + 1, finished_at = %(now)s, next_attempt_at = NULL, leased_until = NULL
 WHERE endpoint_id = %(endpoint_id)s AND status = 'pending'
"""


def add(
    messages: Sequence[Message],
    wanted: Sequence[tuple[UUID, int]],
    *,
    tenant_id: UUID,
    tails: Mapping[UUID, Tail],
    held: Collection[UUID] = (),
    now: datetime,
) -> list[UUID]:
    """Queue messages; `wanted` are pairs of an endpoint and the index of a message, in the order of sending.

    What is for a `held` endpoint is kept as discarded, in its place, until a recovery queues it.

    Each gets its endpoint's next sequence and refers to the one before; `tails` move along. Returns the deliveries'
    ids. One INSERT, one UPDATE.
    """
    rows: list[tuple[Any, ...]] = []
    lanes: set[Lane] = set()
    for endpoint_id, index in wanted:
        tail, delivery_id = tails[endpoint_id], new_id()
        lane = (endpoint_id, messages[index].entity_id)
        place = (delivery_id, endpoint_id, tail.sequence + 1, tail.delivery_id, index + 1)
        rows.append((*place, lane not in lanes, endpoint_id in held))
        lanes.add(lane)
        tail.sequence, tail.delivery_id = tail.sequence + 1, delivery_id
    names = ("ids", "endpoint_ids", "sequences", "previous_ids", "numbers", "leads", "held")
    moved = {endpoint_id: tails[endpoint_id] for endpoint_id, _index in wanted}
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                **dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)),
                "event_ids": [message.event_id for message in messages],
                "event_types": [message.event_type for message in messages],
                "entity_ids": [message.entity_id for message in messages],
                "times": [message.occurred_at for message in messages],
                "bodies": [message.body for message in messages],
                "tenant_id": tenant_id,
                "now": now,
            },
        )
        cursor.execute(
            _ADVANCE,
            {
                "ids": list(moved),
                "sequences": [tail.sequence for tail in moved.values()],
                "delivery_ids": [tail.delivery_id for tail in moved.values()],
            },
        )
    return [row[0] for row in rows]


def arm(lanes: Iterable[Lane], *, now: datetime) -> None:
    """Make the first pending delivery of each lane due, if it has been waiting for its turn.

    One that a recovery has not come to yet waits on.
    """
    endpoint_ids, entity_ids = zip(*lanes, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_ARM, {"endpoint_ids": list(endpoint_ids), "entity_ids": list(entity_ids), "now": now})


def arm_rest(endpoint_id: UUID, *, now: datetime) -> None:
    """Make due whatever is the first of its lane and has been waiting: the endpoint's recovery is over."""
    with connection.cursor() as cursor:
        cursor.execute(_ARM_REST, {"endpoint_id": endpoint_id, "now": now})


def hold_back(recovery: Recovery, *, now: datetime) -> None:
    """Have what waits in the lanes of what a recovery is still to queue wait behind that."""
    with connection.cursor() as cursor:
        cursor.execute(
            _HOLD_BACK,
            {
                "tenant_id": recovery.tenant_id,
                "endpoint_id": recovery.endpoint_id,
                "after": recovery.queued_up_to,
                "since": recovery.since,
                "until": recovery.until,
                "now": now,
            },
        )


def discard_pending(endpoint_id: UUID, *, now: datetime) -> int:
    """Throw out what an endpoint was still to get; return how many. What is on the wire arrives all the same."""
    with connection.cursor() as cursor:
        cursor.execute(_DISCARD, {"endpoint_id": endpoint_id, "now": now})
        return int(cursor.rowcount)


def queue_again(deliveries: QuerySet[Delivery], *, now: datetime) -> None:
    """Put deliveries back at the schedule's beginning, each in its place of its lane.

    One that is on the wire right now stays leased: its sender settles it.
    """
    deliveries.filter(status=DeliveryStatus.PENDING).update(next_attempt_at=None)
    deliveries.exclude(status=DeliveryStatus.PENDING).update(
        status=DeliveryStatus.PENDING, attempt_count=0, fence=F("fence") + 1, finished_at=None
    )
    lanes = list(deliveries.values_list("endpoint_id", "entity_id"))
    if lanes:
        arm(lanes, now=now)
