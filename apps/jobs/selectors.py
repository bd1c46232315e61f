"""What the queues look like, across tenants: read in a staff scope."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import connection
from django.db.models import Count, Min, Q, QuerySet

from apps.core.db.counting import AT_MOST, count_and_oldest, count_bounded
from apps.core.ids import lowest_id
from apps.core.scope import of_reach
from apps.jobs.enums import ACTIVE_STATES, JobState
from apps.jobs.models import Job


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue's jobs: due, scheduled for later, running; and how long the longest due one has waited."""

    queue: str
    due: int
    scheduled: int
    leased: int
    oldest_due: timedelta


@dataclass(frozen=True, slots=True)
class TenantShare:
    """A tenant's part of a queue: running, due, and since when the longest due one is; counted up to AT_MOST."""

    tenant_id: UUID
    leased: int
    due: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Cause:
    """How many dead jobs of a kind have the same last error."""

    kind: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Which dead jobs are meant: those of a tenant, a kind, a queue, a last error, enqueued in a span of time.

    What is None is not asked for.
    """

    tenant_id: UUID | None = None
    kind: str | None = None
    queue: str | None = None
    code: str | None = None
    enqueued_since: datetime | None = None
    enqueued_before: datetime | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Self:
        """Return what was stored as JSON."""
        kinds: dict[str, Callable[[str], Any]] = {
            "tenant_id": UUID,
            **dict.fromkeys(("enqueued_since", "enqueued_before"), datetime.fromisoformat),
        }
        return cls(**{name: kinds.get(name, str)(value) for name, value in data.items()})


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """How many dead jobs of a tenant and a kind have the same last error."""

    tenant_id: UUID
    kind: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """All queues together; each count stops at AT_MOST + 1. `succeeded` covers the time since a given moment."""

    due: int
    oldest_due: timedelta
    scheduled: int
    leased: int
    dead: int
    succeeded: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many jobs of a kind ended in a state, and how many seconds their last attempt took."""

    kind: str
    state: str
    count: int
    median_seconds: float
    p95_seconds: float


# A job is discarded some time after its attempts, whose length is then unknown.
_OUTCOMES = """
    SELECT kind, state, count(*),
           coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
                    FILTER (WHERE state <> 'discarded'), 0),
           coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
                    FILTER (WHERE state <> 'discarded'), 0)
      FROM jobs_job WHERE finished_at >= %s
     GROUP BY kind, state ORDER BY kind, state
"""


def queue_states(*, now: datetime) -> list[QueueState]:
    """Return each queue that has unfinished jobs, by name; served by the two partial indexes."""
    is_queued, is_leased = Q(state=JobState.QUEUED), Q(state=JobState.LEASED)
    is_due = is_queued & Q(run_at__lte=now)
    rows = (
        Job.objects.filter(is_queued | is_leased)
        .order_by("queue")
        .values("queue")
        .annotate(
            due=Count("id", filter=is_due),
            scheduled=Count("id", filter=is_queued & Q(run_at__gt=now)),
            leased=Count("id", filter=is_leased),
            since=Min("run_at", filter=is_due),
        )
    )
    return [
        QueueState(row["queue"], row["due"], row["scheduled"], row["leased"], now - (row["since"] or now))
        for row in rows
    ]


def shares_of(queue: str, *, now: datetime, at_most: int = 20) -> list[TenantShare]:
    """Return the tenants that hold or wait for a queue, those with most of it first.

    Of a backlog the jobs that are due for longest are counted.
    """
    unfinished = Job.objects.filter(queue=queue).order_by()
    leased = unfinished.filter(state=JobState.LEASED).values("tenant_id", "state", "run_at")
    due = unfinished.filter(state=JobState.QUEUED, run_at__lte=now).order_by("run_at")[:AT_MOST]
    found: dict[UUID, list[datetime]] = {}
    held = Counter(row["tenant_id"] for row in leased)
    for tenant_id, run_at in due.values_list("tenant_id", "run_at"):
        found.setdefault(tenant_id, []).append(run_at)
    shares = [
        TenantShare(
            tenant_id, held[tenant_id], len(found.get(tenant_id, [])), min(found.get(tenant_id, []), default=None)
        )
        for tenant_id in held.keys() | found.keys()
    ]
    return sorted(shares, key=lambda share: (-share.leased, -share.due, share.tenant_id))[:at_most]


def totals(*, now: datetime, since: datetime) -> Totals:
    """Return how the queues stand; cheap enough to be asked every two seconds, whatever their length."""
    queued = Job.objects.filter(state=JobState.QUEUED)
    due, oldest = count_and_oldest(queued.filter(run_at__lte=now), "run_at")
    return Totals(
        due=due,
        oldest_due=now - (oldest or now),
        scheduled=count_bounded(queued.filter(run_at__gt=now)),
        leased=count_bounded(Job.objects.filter(state=JobState.LEASED)),
        dead=dead_count(),
        succeeded=count_bounded(Job.objects.filter(finished_at__gte=since, state=JobState.SUCCEEDED)),
    )


def outcomes_since(since: datetime) -> list[Outcome]:
    """Return what became of the jobs that ended at or after `since`, by kind and state."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, [since])
        return [Outcome(*row) for row in cursor.fetchall()]


def dead_count() -> int:
    """Return how many dead jobs wait for staff, up to AT_MOST + 1."""
    return count_bounded(Job.objects.filter(state=JobState.DEAD))


def causes_of_death(*, at_most: int = 20) -> list[Cause]:
    """Return what dead jobs have died of, the most frequent first; of very many the newest are counted."""
    newest = of_reach(Job.objects.filter(state=JobState.DEAD)).order_by("-id").values_list("kind", "last_error_code")
    found = Counter(newest[:AT_MOST])
    return [Cause(kind, code, count) for (kind, code), count in found.most_common(at_most)]


def dead_letters(letters: DeadLetters, *, until: datetime) -> QuerySet[Job]:
    """Return the dead jobs that are meant and had died by a time; what dies again later is not among them."""
    asked = {
        "tenant_id": letters.tenant_id,
        "kind": letters.kind,
        "queue": letters.queue,
        "last_error_code": letters.code,
    }
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    for name, at in (("id__gte", letters.enqueued_since), ("id__lt", letters.enqueued_before)):
        if at is not None:
            given[name] = lowest_id(at)
    return of_reach(Job.objects.filter(state=JobState.DEAD, finished_at__lte=until, **given))


def group_dead_letters(letters: DeadLetters, *, until: datetime) -> list[DeadGroup]:
    """Count the dead jobs that are meant by tenant, kind and last error, the largest group first; it reads them all."""
    names = ("tenant_id", "kind", "last_error_code")
    rows = dead_letters(letters, until=until).order_by().values_list(*names).annotate(count=Count("id"))
    return [DeadGroup(*row) for row in rows.order_by("-count", *names)]


def fate_since(job: Job) -> dict[str, int]:
    """Return how many of its kind and tenant have ended since a dead job did, by state; each up to AT_MOST + 1."""
    since = Job.objects.filter(kind=job.kind, tenant_id=job.tenant_id, finished_at__gt=job.finished_at)
    return {state: count_bounded(since.filter(state=state)) for state in (JobState.SUCCEEDED, JobState.DEAD)}


def successor_of(job: Job) -> Job | None:
    """Return the queued or running job with the same key, whose work is the same."""
    same = Job.objects.filter(tenant_id=job.tenant_id, kind=job.kind, unique_key=job.unique_key)
    return same.filter(state__in=ACTIVE_STATES).exclude(id=job.id).first() if job.unique_key else None
