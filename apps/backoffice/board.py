"""The dashboard's content as tiles, charts and panels; `templates/backoffice/board.html` draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.backoffice.selectors import Dashboard, Hour, Pulse
from apps.core.admin import (
    Facts,
    Stat,
    Table,
    bar,
    changelist_url,
    chip,
    duration,
    link,
    moment,
    number,
    record_url,
    status_chip,
    two_lines,
)
from apps.core.admin.panels import Tone
from apps.core.db.counting import AT_MOST
from apps.core.sequencing import Backlog
from apps.providers.enums import ConnectionStatus
from apps.providers.models import SyncRun

# A queue that has waited this long has no worker, or not enough of them.
LATE, VERY_LATE = timedelta(seconds=30), timedelta(minutes=5)
_WIDTH, _HEIGHT, _SLOT, _GAP = 480, 120, 20, 5


@dataclass(frozen=True, slots=True)
class Column:
    """One hour of a chart: stacked segments (class, y, height) and a tooltip."""

    x: int
    width: int
    segments: Sequence[tuple[str, float, float]]
    tooltip: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A day by hour. `peak` is the value at the top."""

    title: str
    total: str
    peak: str
    columns: Sequence[Column]
    is_empty: bool
    empty: str


def present(board: Dashboard) -> dict[str, Any]:
    """Return what the template draws."""
    return {
        "at": board.now,
        "tiles": _tiles(board),
        "charts": [_runs_chart(board.hours), _rows_chart(board.hours)],
        "runs": _latest_runs(board),
        "connections": _connections(board),
        "queues": _queues(board.pulse),
        "attention": _attention(board),
    }


def _tiles(board: Dashboard) -> list[Stat]:
    pulse, day = board.pulse, _("24 h")
    attention = board.connections.get(ConnectionStatus.NEEDS_ATTENTION, 0)
    failed = sum(hour.failed for hour in board.hours)
    active = sum(hour.active for hour in board.hours)
    lag = max(_lag(pulse.events), _lag(pulse.entries))
    return [
        Stat(
            _("Active connections"),
            number(board.connections.get(ConnectionStatus.ACTIVE, 0)),
            _("%(attention)s need attention, %(failing)s failing")
            % {"attention": number(attention), "failing": number(board.failing)}
            if attention or board.failing
            else _("all healthy"),
            "warn" if attention or board.failing else "ok",
            changelist_url("providers.connection"),
        ),
        Stat(
            _("Syncs succeeded") + f" · {day}",
            number(sum(hour.succeeded for hour in board.hours)),
            _("%(failed)s failed, %(active)s under way") % {"failed": failed, "active": active},
            "bad" if failed else "ok",
            changelist_url("providers.syncrun"),
        ),
        Stat(
            _("Transactions in") + f" · {day}",
            number(sum(hour.rows for hour in board.hours)),
            _("%(count)s rows in quarantine") % {"count": number(board.quarantined)},
            "warn" if board.quarantined else "idle",
            changelist_url("accounts.transaction"),
        ),
        Stat(
            _("Jobs due"),
            _bounded(pulse.jobs.due),
            _("oldest waits %(age)s") % {"age": duration(pulse.jobs.oldest_due)}
            if pulse.jobs.due
            else _("nothing waits"),
            _lateness(pulse.jobs.oldest_due),
            changelist_url("jobs.job", state__exact="queued"),
        ),
        Stat(
            _("Event and audit lag"),
            duration(lag) if pulse.events.rows or pulse.entries.rows else _("none"),
            _backlog(pulse),
            _lateness(lag),
            changelist_url("outbox.outboxevent"),
        ),
        Stat(
            _("Open incidents"),
            _bounded(pulse.incidents),
            ngettext("%(count)s dead letter", "%(count)s dead letters", pulse.jobs.dead)
            % {"count": _bounded(pulse.jobs.dead)},
            "bad" if pulse.incidents or pulse.jobs.dead else "ok",
            changelist_url("incidents.incident"),
        ),
    ]


def _bounded(count: int) -> str:
    return f"{number(AT_MOST)}+" if count > AT_MOST else number(count)


def _backlog(pulse: Pulse) -> str:
    count = pulse.events.rows + pulse.entries.rows
    return _("%(count)s waiting") % {"count": _bounded(count)} if count else _("nothing waits")


def _lag(backlog: Backlog) -> timedelta:
    return timedelta(seconds=backlog.lag_seconds)


def _lateness(age: timedelta) -> Tone:
    return "bad" if age >= VERY_LATE else ("warn" if age >= LATE else "ok")


# Charts.


def _runs_chart(hours: Sequence[Hour]) -> Chart:
    peak = max((hour.succeeded + hour.failed + hour.active for hour in hours), default=0)
    columns = [
        _column(
            index,
            hour,
            peak,
            [("bad", hour.failed), ("run", hour.active), ("ok", hour.succeeded)],
            _("%(ok)s succeeded, %(failed)s failed") % {"ok": hour.succeeded, "failed": hour.failed},
        )
        for index, hour in enumerate(hours)
    ]
    total = sum(hour.succeeded + hour.failed + hour.active for hour in hours)
    empty = _("No sync in the last 24 hours. Connections sync when they are due; “Sync now” starts one at once.")
    return Chart(_("Sync runs by hour"), number(total), number(peak), columns, not total, empty)


def _rows_chart(hours: Sequence[Hour]) -> Chart:
    peak = max((hour.rows for hour in hours), default=0)
    columns = [
        _column(index, hour, peak, [("info", hour.rows)], _("%(rows)s new") % {"rows": number(hour.rows)})
        for index, hour in enumerate(hours)
    ]
    total = sum(hour.rows for hour in hours)
    empty = _("No new transaction in the last 24 hours.")
    return Chart(_("New transactions by hour"), number(total), number(peak), columns, not total, empty)


def _column(index: int, hour: Hour, peak: int, parts: Sequence[tuple[str, int]], text: str) -> Column:
    segments, top = [], float(_HEIGHT)
    for tone, count in parts:
        if count:
            # Two pixels at least: one failed run among thousands must still be seen.
            height = max(2.0, round((_HEIGHT - 4) * count / peak, 1))
            top = max(0.0, top - height)
            segments.append((tone, round(top, 1), height))
    clock_hour = hour.at.strftime("%H:00")
    label = hour.at.strftime("%H") if hour.at.hour % 4 == 0 else ""
    return Column(index * _SLOT, _SLOT - _GAP, segments, f"{clock_hour}: {text}", label)


# Panels.


def _queues(pulse: Pulse) -> Facts:
    return Facts(
        _("Queues"),
        [
            (_("Jobs due"), _queue(pulse.jobs.due, pulse.jobs.oldest_due)),
            (_("Running"), _bounded(pulse.jobs.leased)),
            (_("Scheduled for later"), _bounded(pulse.jobs.scheduled)),
            (_("Done in 24 h"), _bounded(pulse.jobs.succeeded)),
            (_("Dead letters"), chip(_bounded(pulse.jobs.dead), "bad") if pulse.jobs.dead else "0"),
            (_("Events to relay"), _queue(pulse.events.rows, _lag(pulse.events))),
            (_("Audit entries to number"), _queue(pulse.entries.rows, _lag(pulse.entries))),
        ],
    )


def _queue(count: int, age: timedelta) -> SafeString | str:
    return chip(f"{_bounded(count)} · {duration(age)}", _lateness(age)) if count else "0"


def _latest_runs(board: Dashboard) -> Table:
    longest = max((_seconds(run, board.now) for run in board.latest_runs), default=0.0)
    rows = [
        [
            link(record_url("providers.connection", run.connection_id), str(run.connection)),
            chip(board.tenants.get(run.tenant_id, "")),
            status_chip(run),
            number(run.added),
            number(run.modified),
            number(run.removed),
            bar(_seconds(run, board.now), longest, duration(timedelta(seconds=_seconds(run, board.now)))),
            link(record_url("providers.syncrun", run.pk), moment(run.created_at)),
        ]
        for run in board.latest_runs
    ]
    headers = [_("connection"), _("tenant"), _("status"), _("new"), _("changed"), _("removed"), _("took"), _("when")]
    return Table(
        _("Latest sync runs"),
        headers,
        rows,
        empty=_("None yet. A tenant connects a bank through the API; its first sync starts at once and shows up here."),
        numeric=frozenset({3, 4, 5}),
        more_url=changelist_url("providers.syncrun"),
        more_label=_("All runs"),
    )


def _connections(board: Dashboard) -> Table:
    rows = [
        [
            link(record_url("providers.connection", item.pk), str(item)),
            chip(board.tenants.get(item.tenant_id, "")),
            item.provider,
            two_lines(status_chip(item), item.status_code),
            chip(number(item.consecutive_failures), "bad") if item.consecutive_failures else "0",
            moment(item.last_synced_at),
            moment(item.next_sync_at),
        ]
        for item in board.worst_connections
    ]
    headers = [_("connection"), _("tenant"), _("provider"), _("status"), _("failures"), _("last sync"), _("next sync")]
    return Table(
        _("Connections, the worst first"),
        headers,
        rows,
        empty=_("None yet. POST /api/v1/connections makes the first."),
        numeric=frozenset({4}),
        more_url=changelist_url("providers.connection"),
        more_label=_("All connections"),
    )


def _seconds(run: SyncRun, now: datetime) -> float:
    if run.started_at is None:
        return 0.0
    return ((run.finished_at or now) - run.started_at).total_seconds()


def _attention(board: Dashboard) -> Table:
    incidents = [
        [
            chip(_("incident"), "bad"),
            link(record_url("incidents.incident", item.pk), item.title),
            moment(item.last_seen_at),
        ]
        for item in board.incidents
    ]
    letters = [
        [
            chip(_("dead letter"), "bad"),
            link(record_url("jobs.job", job.pk), f"{job.kind}: {job.last_error_code or _('failed')}"),
            moment(job.finished_at or job.created_at),
        ]
        for job in board.dead_jobs
    ]
    runs = [
        [
            chip(_("failed sync"), "warn"),
            link(record_url("providers.syncrun", run.pk), f"{run.connection}: {(run.error or {}).get('code', '')}"),
            moment(run.finished_at),
        ]
        for run in board.failed_runs
    ]
    empty = _("All quiet. No incident is open, no job is dead, no sync has failed.")
    return Table(_("Needs attention"), [_("what"), _("where"), _("when")], [*incidents, *letters, *runs], empty)
