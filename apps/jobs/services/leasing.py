"""Lease, extend, settle, fail and reclaim: the runner's side of the queue, as finops_system.

Every statement that ends or extends a lease names its fencing token, so a worker that was thought dead and
comes back changes nothing.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest

from apps.core.actor import system_actor
from apps.core.db.statements import Statement, run_in_one_trip
from apps.jobs.backoff import Failure
from apps.jobs.enums import JobState
from apps.jobs.errors import LeaseLost
from apps.jobs.models import Job, Queue
from apps.jobs.turns import Turns
from apps.jobs.types import Lease

RECLAIM_BATCH = 100
WORKER_LOST = "worker_lost"
_TRACEBACK_LENGTH = 8_000

# The leases of a queue with a bound come one after the other, each seeing those before it: so its bounds are exact.
_HOLD = """
SELECT pg_advisory_xact_lock(hashtext('jobs_queue'), hashtext(name)) FROM jobs_queue
 WHERE name = $1 AND num_nonnulls(max_running, max_running_per_tenant) > 0
"""
# One statement: two workers cannot see the same row as free, and neither waits for the other. From level to level of
# priority and from tenant to tenant along the index of what is queued, never through anybody's backlog: each step is
# one look into it, and the last LIMIT ends the walk at the first job that can be had. A level's tenants come in two
# arcs: those after the one served last, then the others. As in webhooks, nothing is left to the planner, whose
# statistics never know a queue: an order names the index that gives it, and a sub-select with LIMIT is neither turned
# into a join nor looked into before the row that it hangs on.
_LEASE = """
WITH RECURSIVE level (priority) AS (
    (SELECT priority FROM jobs_job WHERE state = 'queued' AND queue = $1 ORDER BY queue, priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT lower.priority FROM jobs_job AS lower
             WHERE lower.state = 'queued' AND lower.queue = $1 AND lower.priority < level.priority
             ORDER BY lower.queue, lower.priority DESC LIMIT 1)
      FROM level WHERE level.priority IS NOT NULL),
bound AS MATERIALIZED (
    SELECT max_running, max_running_per_tenant FROM jobs_queue
     WHERE name = $1 AND num_nonnulls(max_running, max_running_per_tenant) > 0),
held AS MATERIALIZED (
    SELECT tenant_id, count(*) AS jobs FROM jobs_job
     WHERE state = 'leased' AND queue = $1 AND EXISTS (SELECT FROM bound) GROUP BY tenant_id),
chosen AS MATERIALIZED (
    SELECT head.id
      FROM (SELECT priority, (SELECT tenant_id FROM unnest($5::smallint[], $6::uuid[]) AS served (level, tenant_id)
                               WHERE level = priority) AS served_last
              FROM level
             WHERE priority IS NOT NULL
               AND NOT EXISTS (SELECT FROM bound WHERE max_running <= (SELECT coalesce(sum(jobs), 0) FROM held))
             ORDER BY $4::int IS NOT NULL AND priority = (SELECT max(priority) FROM level),
                      priority >= $4::int, priority DESC) AS turn
     CROSS JOIN LATERAL (VALUES (coalesce(served_last, $7::uuid), $8::uuid), ($7, served_last)) AS arc (after, upto)
     CROSS JOIN LATERAL (
        WITH RECURSIVE busy (tenant_id) AS (
            (SELECT nearest.tenant_id FROM jobs_job AS nearest
              WHERE nearest.state = 'queued' AND nearest.queue = $1 AND nearest.priority = turn.priority
                AND nearest.tenant_id > arc.after AND nearest.tenant_id <= arc.upto
              ORDER BY nearest.queue, nearest.priority DESC, nearest.tenant_id, nearest.run_at LIMIT 1)
            UNION ALL
            SELECT (SELECT further.tenant_id FROM jobs_job AS further
                     WHERE further.state = 'queued' AND further.queue = $1 AND further.priority = turn.priority
                       AND further.tenant_id > busy.tenant_id AND further.tenant_id <= arc.upto
                     ORDER BY further.queue, further.priority DESC, further.tenant_id, further.run_at LIMIT 1)
              FROM busy WHERE busy.tenant_id IS NOT NULL)
        SELECT first_of.id FROM busy
         CROSS JOIN LATERAL (
            SELECT job.id FROM jobs_job AS job
             WHERE job.state = 'queued' AND job.queue = $1 AND job.priority = turn.priority
               AND job.tenant_id = busy.tenant_id AND job.run_at <= $3::timestamptz AND job.kind = ANY($2::text[])
               AND NOT EXISTS (SELECT FROM bound JOIN held ON held.jobs >= bound.max_running_per_tenant
                                WHERE held.tenant_id = busy.tenant_id)
             ORDER BY job.queue, job.priority DESC, job.tenant_id, job.run_at, job.id
             LIMIT 1 FOR UPDATE SKIP LOCKED) AS first_of
         LIMIT 1) AS head
     LIMIT 1)
UPDATE jobs_job AS job
   SET state = 'leased', attempts = attempts + 1, fence = fence + 1, started_at = $3, leased_by = $9,
       run_release = $10, heartbeat_at = $3, leased_until = $3::timestamptz + make_interval(secs => lease_seconds)
  FROM chosen WHERE job.id = chosen.id
RETURNING job.id, job.tenant_id, job.kind, job.payload, job.request_id, job.traceparent, job.priority,
          job.attempts, job.max_attempts, job.lease_seconds, job.soft_seconds, job.hard_seconds, job.fence
"""
_LEASED = (
    *("id", "tenant_id", "kind", "payload", "request_id", "traceparent", "priority"),
    *("attempts", "max_attempts", "lease_seconds", "soft_seconds", "hard_seconds", "fence"),
)
_LOWEST, _HIGHEST = UUID(int=0), UUID(int=2**128 - 1)
# A job that outlives its last allowed lease is poison: it is set aside, not tried for ever.
_RECLAIM = """
    WITH expired AS MATERIALIZED (
        SELECT id FROM jobs_job WHERE state = 'leased' AND leased_until < %(now)s
         ORDER BY leased_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    UPDATE jobs_job AS job
       SET state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempts >= max_attempts THEN %(now)s::timestamptz END,
           run_at = %(now)s, leased_until = NULL, last_error_code = %(code)s,
           last_error_message = format('The worker %%s fell silent during attempt %%s.', leased_by, attempts),
           last_traceback = ''
      FROM expired WHERE job.id = expired.id
 RETURNING job.*
"""
_QUEUES_WITH_DUE_JOBS = """
    SELECT queue FROM unnest(%(queues)s::text[]) AS queue
     WHERE EXISTS (SELECT FROM jobs_job WHERE jobs_job.queue = queue.queue AND state = 'queued' AND run_at <= %(now)s)
"""


def lease_next(
    *, queue: str, kinds: Sequence[str], worker: str, now: datetime, turns: Turns | None = None
) -> Lease | None:
    """Lease the due job of a queue whose turn it is; None when there is none that may be had.

    Within a tenant that is the one of highest priority, the longest due first. Across tenants see `Turns`; without
    any, nobody has had one yet. Only `kinds` are taken: during a deployment an old worker leaves kinds that it does
    not know to the new ones. A queue's bounds hold exactly, however many workers there are.
    """
    turns = turns or Turns()
    with turns.lock:
        given = [queue, list(kinds), now, turns.below, turns.levels, turns.tenants, _LOWEST, _HIGHEST]
        given += [worker[:120], settings.RELEASE]
        *_held, rows = run_in_one_trip([Statement(_HOLD, [queue]), Statement(_LEASE, given)])
        if not rows:
            return None
        fields = dict(zip(_LEASED, rows[0], strict=True))
        job = Job(**{**fields, "payload": json.loads(fields["payload"])})
        turns.has_had(job.tenant_id, priority=job.priority)
    return lease_of(job)


def extend(lease: Lease, *, now: datetime) -> None:
    """Extend a lease to `lease_seconds` from now.

    Raises:
        LeaseLost: it expired and was reclaimed.
    """
    until = now + timedelta(seconds=lease.lease_seconds)
    if not _held(lease).update(leased_until=until, heartbeat_at=now):
        raise LeaseLost(f"job {lease.job_id} is no longer leased to this worker")


def settle(lease: Lease, *, now: datetime) -> None:
    """Mark the job succeeded, in the caller's scope and transaction.

    Raises:
        LeaseLost: the fencing token no longer holds; let it roll the transaction back.
    """
    if lease.lost:
        raise LeaseLost(f"the lease of job {lease.job_id} was not extended in time")
    if not _held(lease).update(state=JobState.SUCCEEDED, leased_until=None, finished_at=now):
        raise LeaseLost(f"job {lease.job_id} is no longer leased to this worker")
    lease.settled = True


def fail(lease: Lease, failure: Failure, *, trace: str, now: datetime) -> None:
    """Queue the job again, or mark it dead, as the verdict says. `trace` is a redacted traceback.

    Raises:
        LeaseLost: the fencing token no longer holds.
    """
    dead = failure.run_at is None
    changed = _held(lease).update(
        state=JobState.DEAD if dead else JobState.QUEUED,
        run_at=failure.run_at or F("run_at"),
        attempts=Greatest(F("attempts") - int(failure.refunded), 0),
        leased_until=None,
        finished_at=now if dead else None,
        last_error_code=failure.code[:80],
        last_error_message=failure.message[:500],
        last_traceback=trace[-_TRACEBACK_LENGTH:],
    )
    if not changed:
        raise LeaseLost(f"job {lease.job_id} is no longer leased to this worker")


def reclaim_expired(*, now: datetime) -> list[Job]:
    """Take back jobs whose worker fell silent: queued again at once (the lease was the delay), or dead."""
    return list(Job.objects.raw(_RECLAIM, {"now": now, "limit": RECLAIM_BATCH, "code": WORKER_LOST}))


def queues_with_due_jobs(queues: Sequence[str], *, now: datetime) -> list[str]:
    """Return those of the queues that have a job to run now."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUES_WITH_DUE_JOBS, {"queues": list(queues), "now": now})
        return [row[0] for row in cursor.fetchall()]


def is_bounded(queue: str) -> bool:
    """Tell whether a bound holds some of a queue's jobs back."""
    has_bound = Q(max_running__isnull=False) | Q(max_running_per_tenant__isnull=False)
    return Queue.objects.filter(has_bound, name=queue).exists()


def lease_of(job: Job) -> Lease:
    """Return the lease that a row describes."""
    return Lease(
        job_id=job.id,
        tenant_id=job.tenant_id,
        kind=job.kind,
        payload=job.payload,
        actor=system_actor(job.kind, tenant_id=job.tenant_id, request_id=job.request_id),
        attempt=job.attempts,
        max_attempts=job.max_attempts,
        lease_seconds=job.lease_seconds,
        soft_seconds=job.soft_seconds,
        hard_seconds=job.hard_seconds,
        fence=job.fence,
        traceparent=job.traceparent,
    )


def _held(lease: Lease) -> QuerySet[Job]:
    return Job.objects.filter(id=lease.job_id, fence=lease.fence, state=JobState.LEASED)
