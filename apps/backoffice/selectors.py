"""What the dashboard shows, across tenants: few queries, each bounded by an index or a limit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncHour

from apps.incidents.enums import STANDING_STATES
from apps.incidents.models import Incident
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.providers.enums import SyncStatus
from apps.providers.models import Connection, SyncRun
from apps.tenants.models import Tenant

HOURS = 24
BADGE_AT_MOST = 999
AT_MOST = 10_000  # a longer backlog is shown as "10,000+": counting it all every two seconds would add to it
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
    """How the queues stand. Counts stop at `AT_MOST` + 1; `*_since` is the oldest waiting row's time."""

    jobs_due: int
    jobs_due_since: datetime | None
    jobs_scheduled: int
    jobs_running: int
    jobs_dead: int
    jobs_done: int
    events_waiting: int
    events_waiting_since: datetime | None
    entries_waiting: int
    entries_waiting_since: datetime | None
    incidents_open: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything on the dashboard, as of `now`."""

    now: datetime
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
    tenants: dict[UUID, str] = field(default_factory=dict)


def dashboard(*, now: datetime) -> Dashboard:
    """Return the dashboard's content; call it in a staff scope."""
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    by_hour = _runs_by_hour(since)
    by_status = _connections_by_status()
    recent = SyncRun.objects.select_related("connection").order_by("-id")
    board = Dashboard(
        now=now,
        connections={row["status"]: row["count"] for row in by_status},
        failing=sum(row["failing"] for row in by_status),
        hours=_hours(since, by_hour),
        quarantined=sum(row["quarantined"] or 0 for row in by_hour),
        pulse=_pulse(now),
        incidents=list(Incident.objects.filter(state__in=STANDING_STATES).order_by("-id")[:_TROUBLES]),
        dead_jobs=list(_dead_jobs()[:_TROUBLES]),
        failed_runs=list(recent.filter(id__gte=first_id(since), status=SyncStatus.FAILED)[:_TROUBLES]),
        latest_runs=list(recent[:_RUNS]),
        # "needs_attention" sorts behind "active"; a disabled connection is not live.
        worst_connections=list(
            Connection.objects.live().order_by("-status", "-consecutive_failures", "-last_synced_at")[:_CONNECTIONS]
        ),
    )
    rows: list[Any] = [
        *board.incidents,
        *board.dead_jobs,
        *board.failed_runs,
        *board.latest_runs,
        *board.worst_connections,
    ]
    board.tenants.update(Tenant.objects.filter(pk__in={row.tenant_id for row in rows}).values_list("pk", "slug"))
    return board


def first_id(at: datetime) -> UUID:
    """Return the lowest UUIDv7 of a moment: ids sort by creation, so the key's index is an index by time."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _connections_by_status() -> list[dict[str, Any]]:
    failing = Count("id", filter=Q(consecutive_failures__gt=0))
    rows = Connection.objects.live().values("status").annotate(count=Count("id"), failing=failing).order_by()
    return [dict(row) for row in rows]


def _runs_by_hour(since: datetime) -> list[dict[str, Any]]:
    rows = (
        SyncRun.objects.filter(id__gte=first_id(since))
        .annotate(hour=TruncHour("created_at"))
        .values("hour", "status")
        .annotate(count=Count("id"), rows=Sum("added"), quarantined=Sum("quarantined"))
        .order_by()
    )
    return [dict(row) for row in rows]


def _hours(since: datetime, by_hour: Sequence[dict[str, Any]]) -> list[Hour]:
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
        for at in (since + timedelta(hours=hour) for hour in range(HOURS))
    ]


def _dead_jobs() -> "QuerySet[Job]":
    # The page shows no payload and no traceback, which may be long.
    return Job.objects.filter(state=JobState.DEAD).defer("payload", "last_traceback").order_by("-id")


_COUNT = "(SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {where} LIMIT %(limit)s) AS bounded)"
_OLDEST = "(SELECT min({column}) FROM (SELECT {column} FROM {table} WHERE {where} ORDER BY {column} LIMIT 1) AS oldest)"
_WAITING = (
    "(SELECT min({column}) FROM (SELECT {column} FROM {table} WHERE sequence IS NULL LIMIT %(limit)s) AS waiting)"
)
_DUE = "state = 'queued' AND run_at <= %(now)s"

# One round trip for all queues; each part reads a partial index.
_PULSE = "SELECT " + ", ".join(
    [
        _COUNT.format(table="jobs_job", where=_DUE),
        _OLDEST.format(table="jobs_job", column="run_at", where=_DUE),
        _COUNT.format(table="jobs_job", where="state = 'queued' AND run_at > %(now)s"),
        _COUNT.format(table="jobs_job", where="state = 'leased'"),
        _COUNT.format(table="jobs_job", where="state = 'dead'"),
        _COUNT.format(table="jobs_job", where="finished_at >= %(day)s AND state = 'succeeded'"),
        _COUNT.format(table="outbox_event", where="sequence IS NULL"),
        _WAITING.format(table="outbox_event", column="occurred_at"),
        _COUNT.format(table="audit_entry", where="sequence IS NULL"),
        _WAITING.format(table="audit_entry", column="at"),
        _COUNT.format(table="incidents_incident", where="state IN ('open', 'acknowledged')"),
    ]
)


_STANDING = _COUNT.format(table="incidents_incident", where="state IN ('open', 'acknowledged')")
_DEAD = _COUNT.format(table="jobs_job", where="state = 'dead'")


def waiting_for_people() -> tuple[int, int]:
    """Return (standing incidents, dead jobs), each counted up to `BADGE_AT_MOST` + 1."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_STANDING}, {_DEAD}", {"limit": BADGE_AT_MOST + 1})
        standing, dead = cursor.fetchone()
    return standing, dead


def _pulse(now: datetime) -> Pulse:
    with connection.cursor() as cursor:
        cursor.execute(_PULSE, {"now": now, "day": now - timedelta(hours=HOURS), "limit": AT_MOST + 1})
        return Pulse(*cursor.fetchone())
