"""Connections and their syncs, queues and what needs a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncHour

from apps.audit.services import AUDIT_LOG
from apps.backoffice.selectors.hours import HOURS, day_of
from apps.core.ids import lowest_id
from apps.core.sequencing import Backlog, backlog
from apps.incidents.enums import STANDING_STATES
from apps.incidents.models import Incident
from apps.incidents.selectors import standing_count
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.jobs.selectors import Totals, dead_count, totals
from apps.outbox.services import OUTBOX
from apps.providers.enums import SyncStatus
from apps.providers.models import Connection, SyncRun

_RUNS, _CONNECTIONS, _TROUBLES = 8, 6, 5


@dataclass(frozen=True, slots=True)
class Hour:
    """The sync runs that were requested in one hour."""

    at: datetime
    succeeded: int
    failed: int
    active: int
    rows: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the queues stand. Counts stop at AT_MOST + 1."""

    jobs: Totals
    events: Backlog
    entries: Backlog
    incidents: int


@dataclass(frozen=True, slots=True)
class Platform:
    """How connections, syncs and queues stand."""

    connections: dict[str, int]
    failing: int
    hours: Sequence[Hour]
    quarantined: int
    pulse: Pulse
    incidents: Sequence[Incident]
    dead_jobs: Sequence[Job]
    failed_runs: Sequence[SyncRun]
    latest_runs: Sequence[SyncRun]
    worst_connections: Sequence[Connection]

    @property
    def rows(self) -> list[Any]:
        """Return what belongs to a tenant that is named."""
        return [*self.incidents, *self.dead_jobs, *self.failed_runs, *self.latest_runs, *self.worst_connections]


def platform(*, now: datetime) -> Platform:
    """Return how the platform stands; call it in a staff scope."""
    hours = day_of(now)
    since = hours[0]
    by_hour = _runs_by_hour(since)
    by_status = _connections_by_status()
    recent = SyncRun.objects.select_related("connection").order_by("-id")
    return Platform(
        connections={row["status"]: row["count"] for row in by_status},
        failing=sum(row["failing"] for row in by_status),
        hours=_hours(hours, by_hour),
        quarantined=sum(row["quarantined"] or 0 for row in by_hour),
        pulse=_pulse(now),
        incidents=list(Incident.objects.filter(state__in=STANDING_STATES).order_by("-id")[:_TROUBLES]),
        dead_jobs=list(_dead_jobs()[:_TROUBLES]),
        failed_runs=list(recent.filter(id__gte=lowest_id(since), status=SyncStatus.FAILED)[:_TROUBLES]),
        latest_runs=list(recent[:_RUNS]),
        # "needs_attention" sorts behind "active"; a disabled connection is not live.
        worst_connections=list(
            Connection.objects.live().order_by("-status", "-consecutive_failures", "-last_synced_at")[:_CONNECTIONS]
        ),
    )


def _connections_by_status() -> list[dict[str, Any]]:
    failing = Count("id", filter=Q(consecutive_failures__gt=0))
    rows = Connection.objects.live().values("status").annotate(count=Count("id"), failing=failing).order_by()
    return [dict(row) for row in rows]


def _runs_by_hour(since: datetime) -> list[dict[str, Any]]:
    rows = (
        SyncRun.objects.filter(id__gte=lowest_id(since))
        .annotate(hour=TruncHour("created_at"))
        .values("hour", "status")
        .annotate(count=Count("id"), rows=Sum("added"), quarantined=Sum("quarantined"))
        .order_by()
    )
    return [dict(row) for row in rows]


def _hours(hours: Sequence[datetime], by_hour: Sequence[dict[str, Any]]) -> list[Hour]:
    counts = {(row["hour"], row["status"]): row["count"] for row in by_hour}
    rows: dict[datetime, int] = {}
    for row in by_hour:
        rows[row["hour"]] = rows.get(row["hour"], 0) + (row["rows"] or 0)
    return [
        Hour(
            at=at,
            succeeded=counts.get((at, SyncStatus.SUCCEEDED), 0),
            failed=counts.get((at, SyncStatus.FAILED), 0),
            active=counts.get((at, SyncStatus.QUEUED), 0) + counts.get((at, SyncStatus.RUNNING), 0),
            rows=rows.get(at, 0),
        )
        for at in hours
    ]


def _dead_jobs() -> "QuerySet[Job]":
    # The page shows no payload and no traceback, which may be long.
    return Job.objects.filter(state=JobState.DEAD).defer("payload", "last_traceback").order_by("-id")


def waiting_for_people() -> tuple[int, int]:
    """Return (standing incidents, dead jobs), each counted up to AT_MOST + 1."""
    return standing_count(), dead_count()


def _pulse(now: datetime) -> Pulse:
    return Pulse(
        jobs=totals(now=now, since=now - timedelta(hours=HOURS)),
        events=backlog(OUTBOX, now=now),
        entries=backlog(AUDIT_LOG, now=now),
        incidents=standing_count(),
    )
