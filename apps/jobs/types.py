"""Kinds of jobs, what one is asked for with, and the lease under which a handler runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict
from uuid import UUID

from apps.core.actor import Actor

SOFT_SECONDS, HARD_SECONDS = 600, 900


@dataclass(frozen=True, slots=True)
class JobKind:
    """What one sort of job is called, which queue runs it, and how patient the queue is with it.

    `lease_seconds` is how long a silent worker keeps the job; a live one extends its lease by itself.
    The delay before attempt n+1 is random in [0, min(backoff_max_seconds, backoff_seconds * 2**(n-1))].
    An attempt that takes `soft_seconds` is interrupted, one that takes `hard_seconds` is ended: see `apps.jobs.limits`.
    """

    name: str
    queue: str
    max_attempts: int = 5
    lease_seconds: int = 60
    backoff_seconds: int = 5
    backoff_max_seconds: int = 3600
    soft_seconds: int = SOFT_SECONDS
    hard_seconds: int = HARD_SECONDS


class NewJob(TypedDict):
    """What a job is asked for with. It is due now, unless `run_at` says later; a higher `priority` runs first."""

    kind: JobKind
    payload: Mapping[str, Any]
    actor: Actor
    now: datetime
    unique_key: NotRequired[str]
    run_at: NotRequired[datetime | None]
    priority: NotRequired[int]


@dataclass(slots=True, eq=False, kw_only=True)
class Lease:
    """The right to run one job, until it expires. `apps.jobs.services.settle` ends it well.

    `actor` is a system actor bound to the job's tenant, which keeps the request id of whoever enqueued it.
    `fence` is the fencing token: it grows with each lease, so that a worker which was only slow cannot settle
    what another one has taken over.
    """

    job_id: UUID
    tenant_id: UUID
    kind: str
    payload: Mapping[str, Any]
    actor: Actor
    attempt: int
    max_attempts: int
    lease_seconds: int
    fence: int
    traceparent: str = ""
    soft_seconds: int = SOFT_SECONDS
    hard_seconds: int = HARD_SECONDS
    settled: bool = False  # The handler has settled it; its transaction decides.
    interrupted: bool = False  # The soft limit has come; whatever the connection was in the middle of, it still is.
    lost: bool = False  # Set by the heartbeat once the lease could not be extended in time.

    @property
    def is_last_attempt(self) -> bool:
        """Tell whether a failure now is the job's death."""
        return self.attempt >= self.max_attempts
