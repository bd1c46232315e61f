"""The sender's side of the queue: settle what was tried, by the fence of its claim. Across tenants."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from apps.core.scope import system_scope
from apps.webhooks.retrying import next_attempt
from apps.webhooks.services import queueing
from apps.webhooks.types import GONE_STATUS, SECRET_UNREADABLE, Attempt

# Those whose queues change, and those that begin to fail. An attempt that arrived ends its delivery, so its endpoint is
# among the first.
_LOCK = """
SELECT id, failing_since FROM webhooks_endpoint
 WHERE id = ANY(%(endpoint_ids)s) AND (id = ANY(%(ended)s) OR failing_since IS NULL)
 ORDER BY id FOR NO KEY UPDATE
"""
_FARE = """
UPDATE webhooks_endpoint AS endpoint
   SET failing_since = fares.since, notices = CASE WHEN fares.since IS NULL THEN endpoint.notices ELSE 0 END
  FROM unnest(%(ids)s::uuid[], %(sinces)s::timestamptz[]) AS fares (id, since)
 WHERE endpoint.id = fares.id AND endpoint.status = 'enabled'
"""
# Whatever ends a claim moves the fence on, this statement too: settling again what a broken connection left in doubt
# changes nothing.
_SETTLE = """
UPDATE webhooks_delivery AS delivery
   SET status = verdict.status, attempt_count = delivery.attempt_count + 1, leased_until = NULL,
       fence = delivery.fence + 1,
       next_attempt_at = verdict.next_attempt_at,
       finished_at = CASE WHEN verdict.status <> 'pending' THEN %(now)s::timestamptz END
  FROM unnest(%(ids)s::uuid[], %(fences)s::int[], %(statuses)s::text[], %(next_attempts)s::timestamptz[])
       AS verdict (id, fence, status, next_attempt_at)
 WHERE delivery.id = verdict.id AND delivery.fence = verdict.fence
"""
# Every attempt was made, also one whose lease was lost meanwhile.
_LOG = """
INSERT INTO webhooks_deliveryattempt
       (id, tenant_id, delivery_id, endpoint_id, at, status_code, duration_ms, error, response_excerpt)
SELECT * FROM unnest(%(attempt_ids)s::uuid[], %(tenant_ids)s::uuid[], %(ids)s::uuid[], %(endpoint_ids)s::uuid[],
                     %(ats)s::timestamptz[], %(status_codes)s::smallint[], %(durations)s::int[], %(errors)s::text[],
                     %(excerpts)s::text[])
ON CONFLICT (id) DO NOTHING
"""


class Verdict(NamedTuple):
    """What an attempt makes of its delivery."""

    status: str
    next_attempt_at: datetime | None


def settle(attempts: Sequence[Attempt], *, random: Random, now: datetime) -> None:
    """Log attempts and set their deliveries to what follows: succeeded, failed, or pending until the next one.

    Doing so twice is once.
    """
    if not attempts:
        return
    verdicts = [judge(attempt, random=random) for attempt in attempts]
    ended = [a.claim for a, verdict in zip(attempts, verdicts, strict=True) if verdict.status != "pending"]
    parameters = _columns(attempts, verdicts, now)
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(
            _LOCK,
            {
                "endpoint_ids": list({attempt.claim.endpoint_id for attempt in attempts}),
                "ended": list({claim.endpoint_id for claim in ended}),
            },
        )
        fares = changed_health(attempts, dict(cursor.fetchall()))
        if fares:
            cursor.execute(_FARE, {"ids": list(fares), "sinces": list(fares.values())})
        cursor.execute(_SETTLE, parameters)
        cursor.execute(_LOG, parameters)
        if ended:
            queueing.arm([(claim.endpoint_id, claim.entity_id) for claim in ended], now=now)


def changed_health(
    attempts: Sequence[Attempt], failing_since: Mapping[UUID, datetime | None]
) -> dict[UUID, datetime | None]:
    """Return since when the endpoints fail for which that changes, by the end of each attempt; None: they do not.

    What fails for want of a secret is our failure, not theirs.
    """
    now = dict(failing_since)
    for attempt in sorted(attempts, key=lambda attempt: attempt.ended_at):
        endpoint_id = attempt.claim.endpoint_id
        if endpoint_id not in now or attempt.error == SECRET_UNREADABLE:
            continue
        since = now[endpoint_id]
        if attempt.error:
            now[endpoint_id] = since or attempt.at
        elif since is not None and since <= attempt.ended_at:
            now[endpoint_id] = None
    return {key: since for key, since in now.items() if since != failing_since[key]}


def judge(attempt: Attempt, *, random: Random) -> Verdict:
    """Return what follows from an attempt. A receiver that is gone is not asked again."""
    if not attempt.error:
        return Verdict("succeeded", None)
    if attempt.status_code == GONE_STATUS:
        return Verdict("failed", None)
    failures = attempt.claim.attempt_count + 1
    # From its end: a time-out takes longer than the first pause.
    at = next_attempt(attempt_count=failures, at=attempt.ended_at, retry_after=attempt.retry_after, random=random)
    return Verdict("failed" if at is None else "pending", at)


def _columns(attempts: Sequence[Attempt], verdicts: Sequence[Verdict], now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "ids": [attempt.claim.id for attempt in attempts],
        "fences": [attempt.claim.fence for attempt in attempts],
        "statuses": [verdict.status for verdict in verdicts],
        "next_attempts": [verdict.next_attempt_at for verdict in verdicts],
        "attempt_ids": [attempt.id for attempt in attempts],
        "tenant_ids": [attempt.claim.tenant_id for attempt in attempts],
        "endpoint_ids": [attempt.claim.endpoint_id for attempt in attempts],
        "ats": [attempt.at for attempt in attempts],
        "status_codes": [attempt.status_code for attempt in attempts],
        "durations": [attempt.duration_ms for attempt in attempts],
        "errors": [attempt.error for attempt in attempts],
        "excerpts": [attempt.response_excerpt for attempt in attempts],
    }
