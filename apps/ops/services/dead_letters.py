"""Replaying and discarding a dead letter. Jobs stand beside the audit room and below the incidents: hence here."""

from datetime import datetime
from uuid import UUID

from apps.audit.services import record
from apps.core.actor import Actor
from apps.core.scope import write_scope
from apps.incidents.services import resolve_incident
from apps.jobs.events import JOB_DEAD
from apps.jobs.services import discard_job, replay_job


def replay_dead_letter(*, job_id: UUID, actor: Actor, now: datetime) -> None:
    """Queue a dead or discarded job again, with all its attempts; its incident is resolved.

    Raises:
        NotFound, JobNotReplayable, JobAlreadyQueued: see `apps.jobs.services.replay_job`.
    """
    with write_scope(actor):
        job, before = replay_job(job_id=job_id, actor=actor, now=now)
        changes = {"state": [before, job.state], "kind": [job.kind, job.kind]}
        record(action="job.replayed", actor=actor, target_type="job", target_id=job_id, now=now, changes=changes)
        resolve_incident(kind=JOB_DEAD, key=str(job_id), actor=actor, now=now)


def discard_dead_letter(*, job_id: UUID, reason: str, actor: Actor, now: datetime) -> None:
    """Take a dead or queued job out of the queue for good, and keep the reason; its incident is resolved.

    Raises:
        NotFound, JobNotDiscardable: see `apps.jobs.services.discard_job`.
    """
    with write_scope(actor):
        job, before = discard_job(job_id=job_id, actor=actor, now=now)
        changes = {"state": [before, job.state], "reason": [None, reason]}
        record(action="job.discarded", actor=actor, target_type="job", target_id=job_id, now=now, changes=changes)
        resolve_incident(kind=JOB_DEAD, key=str(job_id), actor=actor, now=now, reason=reason)
