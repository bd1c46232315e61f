"""Enqueue, replay and discard: a tenant's side of the queue."""

from datetime import datetime
from typing import Unpack
from uuid import UUID

from django.conf import settings

from apps.core import context
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.db.statements import Statement, insert
from apps.core.db.violations import translate_violations
from apps.core.ids import new_id
from apps.core.scope import current_tenant_id, request_wake, write_scope
from apps.jobs.enums import ACTIVE_STATES, JobState
from apps.jobs.errors import JobAlreadyQueued, JobNotDiscardable, JobNotReplayable
from apps.jobs.models import Job
from apps.jobs.types import NewJob

_ENQUEUE_TRIES = 5


def enqueue(**asked: Unpack[NewJob]) -> Job:
    """Add a job for the actor's tenant; it exists once the surrounding transaction commits.

    While a job of this kind with the same non-empty `unique_key` is queued or leased, that one is returned.
    The workers are woken after the commit unless the job is for later.
    """
    with write_scope(asked["actor"]):
        job = _insert(_new_job(asked))
        if job.run_at <= asked["now"]:
            request_wake(f"jobs:{job.queue}")
    return job


def enqueue_statement(**asked: Unpack[NewJob]) -> Statement:
    """Return the statement that adds a job due now, for a service that sends all of its rows at once.

    It goes into the open write scope. A `unique_key` must be new: the statement fails where it is not.
    """
    job = _new_job(asked)
    request_wake(f"jobs:{job.queue}")
    return insert(job)


def replay_job(*, job_id: UUID, actor: Actor, now: datetime) -> tuple[Job, str]:
    """Queue a dead or discarded job again, with all its attempts, due now; return it and the state it was in.

    Staff act through the back office, which in the same write_scope adds the audit leaf and resolves the
    incident (kind `events.JOB_DEAD`, key the job's id): this room stands below those and does not know them.

    Raises:
        NotFound: the actor's tenant has no such job.
        JobNotReplayable: it is neither dead nor discarded.
        JobAlreadyQueued: the same work is queued or running under another job.
    """
    with write_scope(actor):
        job = _locked(job_id)
        before = job.state
        if before not in (JobState.DEAD, JobState.DISCARDED):
            raise JobNotReplayable
        job.state, job.run_at, job.attempts, job.finished_at = JobState.QUEUED, now, 0, None
        with translate_violations({"jobs_job_one_active_per_key": JobAlreadyQueued()}):
            job.save(update_fields=["state", "run_at", "attempts", "finished_at"])
        request_wake(f"jobs:{job.queue}")
    return job, before


def discard_job(*, job_id: UUID, actor: Actor, now: datetime) -> tuple[Job, str]:
    """Take a dead or queued job out of the queue for good; return its row, which stays, and the state it was in.

    Raises:
        NotFound: the actor's tenant has no such job.
        JobNotDiscardable: it is running or already finished.
    """
    with write_scope(actor):
        job = _locked(job_id)
        before = job.state
        if before not in (JobState.DEAD, JobState.QUEUED):
            raise JobNotDiscardable
        job.state, job.finished_at = JobState.DISCARDED, now
        job.save(update_fields=["state", "finished_at"])
    return job, before


def _new_job(asked: NewJob) -> Job:
    kind, actor, now, running = asked["kind"], asked["actor"], asked["now"], context.current()
    return Job(
        id=new_id(),
        tenant_id=current_tenant_id(),
        kind=kind.name,
        queue=kind.queue,
        priority=asked.get("priority", 0),
        payload=dict(asked["payload"]),
        unique_key=asked.get("unique_key", ""),
        run_at=asked.get("run_at") or now,
        max_attempts=kind.max_attempts,
        lease_seconds=kind.lease_seconds,
        soft_seconds=kind.soft_seconds,
        hard_seconds=kind.hard_seconds,
        actor=actor.as_json(),
        request_id=actor.request_id or running.request_id,
        traceparent=running.traceparent,
        release=settings.RELEASE,
        created_at=now,
    )


def _insert(job: Job) -> Job:
    if not job.unique_key:
        job.save(force_insert=True)
        return job
    same = Job.objects.filter(kind=job.kind, unique_key=job.unique_key, state__in=ACTIVE_STATES)
    for _attempt in range(_ENQUEUE_TRIES):
        # ON CONFLICT DO NOTHING waits for a transaction that is inserting the same key right now.
        Job.objects.bulk_create([job], ignore_conflicts=True)
        active = same.first()
        if active is not None:
            return active
        # The job that was in the way has finished between the two statements, so there is room now.
    raise RuntimeError(f"{job.kind} {job.unique_key!r} could not be enqueued in {_ENQUEUE_TRIES} tries")


def _locked(job_id: UUID) -> Job:
    return get_one(Job.objects.select_for_update().filter(id=job_id))
