"""Jobs for tests, and kinds with handlers that record what they were given."""

from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from apps.core.actor import system_actor
from apps.core.scope import system_scope, tenant_scope
from apps.jobs import runner
from apps.jobs.models import Job
from apps.jobs.registry import DeathHook, handles
from apps.jobs.services import enqueue, leasing
from apps.jobs.types import JobKind, Lease

TENANT = UUID("0198c5a0-0000-7000-8000-00000000000a")
OTHER_TENANT = UUID("0198c5a0-0000-7000-8000-00000000000b")
NOTE = JobKind("test.note", queue="test", max_attempts=3, lease_seconds=60, backoff_seconds=10, backoff_max_seconds=15)


def make_job(
    *,
    now: datetime,
    kind: JobKind = NOTE,
    tenant_id: UUID = TENANT,
    payload: Mapping[str, Any] | None = None,
    request_id: str = "",
    unique_key: str = "",
    run_at: datetime | None = None,
    priority: int = 0,
) -> Job:
    """Enqueue a job for a tenant."""
    return enqueue(
        kind=kind,
        payload=payload or {},
        actor=system_actor("tests", tenant_id=tenant_id, request_id=request_id),
        now=now,
        unique_key=unique_key,
        run_at=run_at,
        priority=priority,
    )


def make_handler(
    kind: JobKind = NOTE,
    act: Callable[[Lease], None] | None = None,
    *,
    on_dead: DeathHook | None = None,
) -> list[Lease]:
    """Register a handler, inside `registry.temporarily()`, and return the list of leases that it will have seen."""
    seen: list[Lease] = []

    def handler(lease: Lease) -> None:
        seen.append(lease)
        if act:
            act(lease)

    handles(kind, on_dead=on_dead)(handler)
    return seen


def raiser(error: Exception) -> Callable[[Lease], None]:
    """Return a handler's body that raises."""

    def act(_lease: Lease) -> None:
        raise error

    return act


def run_job(now: datetime, queue: str = "test") -> bool:
    """Run the next due job with the clock stopped and the same jitter each time; tell whether there was one."""
    return runner.run_next(queue, worker="w1", now=now, random=Random(1))


def lease_job(now: datetime, worker: str = "w1") -> Lease:
    """Lease the next due note, as a worker would."""
    with system_scope():
        lease = leasing.lease_next(queue="test", kinds=[NOTE.name], worker=worker, now=now)
    assert lease is not None
    return lease


def stored_job(job: Job) -> Job:
    """Read a job anew."""
    with tenant_scope(job.tenant_id):
        return Job.objects.get(id=job.id)
