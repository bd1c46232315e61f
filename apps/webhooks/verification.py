"""Proves the webhooks: each endpoint's queue is complete, and holds what its client has subscribed to."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.db.statements import Statement
from apps.core.scope import snapshot_scope
from apps.core.verification import Check, Finding, Row, Seen, Subject, read, register
from apps.outbox.catalogue import event_types
from apps.webhooks.enums import EndpointStatus
from apps.webhooks.subscriptions import matches

RANGE_ROWS = 10_000
# An endpoint that is being changed while events are relayed may or may not get these.
SETTLED_AFTER = timedelta(minutes=1)
_ENDPOINTS = """
SELECT id, event_types, status, held_until, last_sequence, updated_at, forgotten_up_to, events_forgotten_up_to,
       (SELECT max(sequence) FROM webhooks_delivery AS delivery
         WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id) AS last,
       coalesce((SELECT last_sequence FROM outbox_counter WHERE tenant_id = endpoint.tenant_id), 0) AS relayed
  FROM webhooks_endpoint AS endpoint WHERE tenant_id = %s ORDER BY id
"""
# From endpoint to endpoint along the index of their deliveries, however many each has.
_WITHOUT_ENDPOINT = """
WITH RECURSIVE receiver AS (
    (SELECT endpoint_id FROM webhooks_delivery WHERE tenant_id = %s ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT endpoint_id FROM webhooks_delivery WHERE tenant_id = %s AND endpoint_id > receiver.endpoint_id
             ORDER BY endpoint_id LIMIT 1)
      FROM receiver WHERE receiver.endpoint_id IS NOT NULL)
SELECT endpoint_id FROM receiver WHERE endpoint_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM webhooks_endpoint WHERE tenant_id = %s AND id = receiver.endpoint_id)
"""
# The row before the range comes along, so that the range's first has the one before it. The first that is
# kept names one that was forgotten.
_BREAKS = """
SELECT id, sequence, previous_id, earlier_sequence, earlier_id, is_counted FROM (
    SELECT id, sequence, previous_id, sequence >= %s AS is_counted,
           lag(sequence, 1, %s::bigint) OVER each AS earlier_sequence, lag(id) OVER each AS earlier_id
      FROM webhooks_delivery WHERE tenant_id = %s AND endpoint_id = %s AND sequence BETWEEN %s AND %s
    WINDOW each AS (ORDER BY sequence)) AS delivery
 WHERE is_counted AND (sequence <> earlier_sequence + 1
                       OR sequence <> %s AND previous_id IS DISTINCT FROM earlier_id)
 ORDER BY sequence LIMIT 100
"""
_UNSENT = """
SELECT event.id, event.sequence, event.type FROM outbox_event AS event
 WHERE event.tenant_id = %s AND event.sequence BETWEEN %s AND %s AND event.relayed_at > %s AND event.type = ANY(%s)
   AND NOT EXISTS (SELECT FROM webhooks_delivery AS delivery WHERE delivery.tenant_id = event.tenant_id
                      AND delivery.event_id = event.id AND delivery.endpoint_id = %s)
 ORDER BY event.sequence LIMIT 100
"""
_UNPROVEN = """
SELECT delivery.id FROM webhooks_delivery AS delivery
 WHERE tenant_id = %s AND endpoint_id = %s AND sequence BETWEEN %s AND %s AND status = 'succeeded' AND NOT EXISTS (
       SELECT FROM webhooks_deliveryattempt AS attempt WHERE attempt.delivery_id = delivery.id AND attempt.error = '')
 ORDER BY sequence LIMIT 100
"""
_CHANGED = _("It was changed past the platform. Tell the client, who may have missed events: they can recover them.")
_RESTORE = _(
    "Deliveries were deleted past the platform. Restore them from a backup, or tell the client what they missed."
)


def _endpoints(subject: Subject) -> list[Row]:
    with snapshot_scope():
        return read(Statement(_ENDPOINTS, [subject.tenant_id]))


def _walk_queues(subject: Subject) -> Iterator[Seen | Finding]:
    for endpoint in _endpoints(subject):
        forgotten = endpoint["forgotten_up_to"]
        last = endpoint["last"] or forgotten
        if last != endpoint["last_sequence"]:
            problem = _("An endpoint's queue does not end where the endpoint says.")
            expected, found = f"last sequence {endpoint['last_sequence']}", f"last sequence {last}"
            yield Finding("webhooks_endpoint", str(endpoint["id"]), problem, expected, found, _RESTORE)
        for first in range(forgotten + 1, last + 1, RANGE_ROWS):
            until = min(first + RANGE_ROWS - 1, last)
            yield from _walk_range(subject.tenant_id, endpoint["id"], first, until, forgotten)
    with snapshot_scope():
        deleted = read(Statement(_WITHOUT_ENDPOINT, [subject.tenant_id] * 3))
    for row in deleted:
        problem = _("An endpoint is gone, and its deliveries are there.")
        yield Finding("webhooks_endpoint", str(row["endpoint_id"]), problem, "a row", "no row", _CHANGED)


def _walk_range(
    tenant_id: UUID | None, endpoint_id: UUID, first: int, last: int, forgotten: int
) -> Iterator[Seen | Finding]:
    # Where the row before the range is missing, its first row follows the one before that.
    earlier = max(first - 2, forgotten)
    with snapshot_scope():
        kept_first = forgotten + 1 if forgotten else 0
        broken = read(Statement(_BREAKS, [first, earlier, tenant_id, endpoint_id, first - 1, last, kept_first]))
        unproven = read(Statement(_UNPROVEN, [tenant_id, endpoint_id, first, last]))
    yield Seen(last - first + 1)
    for row in broken:
        problem, expected = (
            _("A delivery does not follow the one before it."),
            f"{row['earlier_sequence'] + 1} after it",
        )
        found = f"{row['sequence']} after {row['previous_id']}"
        if row["sequence"] == row["earlier_sequence"] + 1:
            expected = f"{row['sequence']} after {row['earlier_id']}"
        yield Finding("webhooks_delivery", str(row["id"]), problem, expected, found, _RESTORE)
    for row in unproven:
        problem = _("A delivery counts as received, and no attempt tells of it.")
        yield Finding("webhooks_delivery", str(row["id"]), problem, "an attempt that succeeded", "none", _CHANGED)


def _walk_events(subject: Subject) -> Iterator[Seen | Finding]:
    for endpoint in _endpoints(subject):
        is_held = endpoint["held_until"] is not None and endpoint["held_until"] > subject.now
        if endpoint["status"] != EndpointStatus.ENABLED and not is_held:
            continue
        types = [type_ for type_ in event_types() if matches(endpoint["event_types"], type_)]
        for first in range(endpoint["events_forgotten_up_to"] + 1, endpoint["relayed"] + 1, RANGE_ROWS):
            last = min(first + RANGE_ROWS - 1, endpoint["relayed"])
            since = endpoint["updated_at"] + SETTLED_AFTER
            with snapshot_scope():
                params = [subject.tenant_id, first, last, since, types, endpoint["id"]]
                unsent = read(Statement(_UNSENT, params))
            yield Seen(last - first + 1)
            for event in unsent:
                problem = _("An event was never queued for an endpoint that has subscribed to it.")
                found, expected = f"none of {event['type']}", f"a delivery to endpoint {endpoint['id']}"
                yield Finding("outbox_event", str(event["id"]), problem, expected, found, _CHANGED)


register(
    Check(
        "webhooks.queues",
        _("Webhook queues are complete"),
        _(
            "Each endpoint's deliveries have gapless sequences, each names the one before it, and what counts as "
            "received has the attempt that shows it."
        ),
        _("deliveries"),
        _walk_queues,
    ),
    Check(
        "webhooks.events",
        _("Subscribed events are delivered"),
        _(
            "Each event since an endpoint's last change that it has subscribed to has its delivery there, also while "
            "it is given up as failing."
        ),
        _("events"),
        _walk_events,
    ),
)
