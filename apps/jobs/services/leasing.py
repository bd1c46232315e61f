"""Lease, extend, settle, fail and reclaim: the runner's side of the queue, as finops_system.

Every statement that ends or extends a lease names its fencing token, so a worker that was thought dead and
comes back changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from apps.core.actor import system_actor
from apps.jobs.backoff import Failure
from apps.jobs.enums import JobState
from apps.jobs.errors import LeaseLost
from apps.jobs.models import Job
from apps.jobs.types import Lease

RECLAIM_BATCH = 100
WORKER_LOST = "worker_lost"
_TRACEBACK_LENGTH = 8_000

# One statement: two workers cannot see the same row as free, and neither waits for the other.
_LEASE = """
    UPDATE jobs_job
       SET state = 'leased', attempts = attempts + 1, fence = fence + 1, started_at = %(now)s, leased_by = %(worker)s,
           heartbeat_at = %(now)s, leased_until = %(now)s + make_interval(secs => lease_seconds)
     WHERE id = (SELECT id FROM jobs_job
                  WHERE state = 'queued' AND queue = %(queue)s AND run_at <= %(now)s AND kind = ANY(%(kinds)s)
                  ORDER BY priority DESC, run_at, id
                  LIMIT 1 FOR UPDATE SKIP LOCKED)
 RETURNING *
"""
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


def lease_next(*, queue: str, kinds: Sequence[str], worker: str, now: datetime) -> Lease | None:
    """Lease the due job of highest priority in a queue, the longest due first; None when there is none.

    Only `kinds` are taken: during a deployment an old worker leaves kinds that it does not know to the new ones.
    """
    found = list(Job.objects.raw(_LEASE, {"queue": queue, "kinds": list(kinds), "worker": worker[:120], "now": now}))
    return lease_of(found[0]) if found else None


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


def has_several_due(queue: str, *, now: datetime) -> bool:
    """Tell whether a queue has more than one job to run now."""
    due = Job.objects.filter(queue=queue, state=JobState.QUEUED, run_at__lte=now).order_by()
    return len(due.values_list("id")[:2]) > 1


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
        fence=job.fence,
        traceparent=job.traceparent,
    )


def _held(lease: Lease) -> QuerySet[Job]:
    return Job.objects.filter(id=lease.job_id, fence=lease.fence, state=JobState.LEASED)
