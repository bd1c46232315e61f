"""Connections, syncs and queues on the dashboard."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.backoffice.board.charts import Chart, Series, chart
from apps.backoffice.board.lateness import bounded, lateness
from apps.backoffice.selectors.platform import Platform, Pulse
from apps.core.admin import (
    Facts,
    Stat,
    Table,
    bar,
    changelist_url,
    chip,
    due,
    duration,
    link,
    moment,
    number,
    record_url,
    status_chip,
    two_lines,
)
from apps.core.sequencing import Backlog
from apps.providers.enums import ConnectionStatus
from apps.providers.models import SyncRun

_RUNS = (
    Series("succeeded", gettext_lazy("succeeded"), "ok"),
    Series("active", gettext_lazy("under way"), "run"),
    Series("failed", gettext_lazy("failed"), "bad"),
)
_ROWS = (Series("rows", gettext_lazy("new"), "info"),)


def tiles(board: Platform) -> list[Stat]:
    """Return the numbers of connections, syncs and queues."""
    pulse, day = board.pulse, _("24 h")
    attention = board.connections.get(ConnectionStatus.NEEDS_ATTENTION, 0)
    failed = sum(hour.failed for hour in board.hours)
    active = sum(hour.active for hour in board.hours)
    lag = max(_lag(pulse.events), _lag(pulse.entries))
    return [
        Stat(
            _("Active connections"),
            number(board.connections.get(ConnectionStatus.ACTIVE, 0)),
            _health(attention, board.failing),
            "warn" if attention or board.failing else "ok",
            changelist_url("providers.connection"),
        ),
        Stat(
            _("Syncs") + f" · {day}",
            number(failed + sum(hour.succeeded for hour in board.hours)),
            _syncs(failed, active),
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
            bounded(pulse.jobs.due),
            _("oldest waits %(age)s") % {"age": duration(pulse.jobs.oldest_due)}
            if pulse.jobs.due
            else _("nothing waits"),
            lateness(pulse.jobs.oldest_due),
            changelist_url("jobs.job", state__exact="queued"),
        ),
        Stat(
            _("Event and audit lag"),
            duration(lag) if pulse.events.rows or pulse.entries.rows else _("none"),
            _backlog(pulse),
            lateness(lag),
            changelist_url("outbox.outboxevent"),
        ),
        Stat(
            _("Open incidents"),
            bounded(pulse.incidents),
            ngettext("%(count)s dead letter", "%(count)s dead letters", pulse.jobs.dead)
            % {"count": bounded(pulse.jobs.dead)},
            "bad" if pulse.incidents or pulse.jobs.dead else "ok",
            changelist_url("incidents.incident"),
        ),
    ]


def _syncs(failed: int, active: int) -> str:
    parts = [_("%(count)s failed") % {"count": number(failed)} if failed else _("none failed")]
    return ", ".join(parts + [_("%(count)s under way") % {"count": number(active)}] * bool(active))


def _health(attention: int, failing: int) -> str:
    troubled = ngettext("%(count)s needs attention", "%(count)s need attention", attention) % {"count": attention}
    parts = [troubled] * bool(attention) + [_("%(count)s failing") % {"count": failing}] * bool(failing)
    return ", ".join(parts) or _("all healthy")


def _backlog(pulse: Pulse) -> str:
    count = pulse.events.rows + pulse.entries.rows
    return _("%(count)s waiting") % {"count": bounded(count)} if count else _("nothing waits")


def _lag(backlog: Backlog) -> timedelta:
    return timedelta(seconds=backlog.lag_seconds)


def charts(board: Platform) -> list[Chart]:
    """Return the day's sync runs and the rows that they brought."""
    runs = [
        (hour.at, {"succeeded": hour.succeeded, "failed": hour.failed, "active": hour.active}) for hour in board.hours
    ]
    rows = [(hour.at, {"rows": hour.rows}) for hour in board.hours]
    no_run = _("No sync in the last 24 hours. Connections sync when they are due; “Sync now” starts one at once.")
    return [
        chart(_("Sync runs by hour"), _RUNS, runs, empty=no_run),
        chart(_("New transactions by hour"), _ROWS, rows, empty=_("No new transaction in the last 24 hours.")),
    ]


# Panels.


def queues(pulse: Pulse) -> Facts:
    """Return how the queues stand."""
    return Facts(
        _("Queues"),
        [
            (_("Jobs due"), _queue(pulse.jobs.due, pulse.jobs.oldest_due)),
            (_("Running"), bounded(pulse.jobs.leased)),
            (_("Scheduled for later"), bounded(pulse.jobs.scheduled)),
            (_("Done in 24 h"), bounded(pulse.jobs.succeeded)),
            (_("Dead letters"), chip(bounded(pulse.jobs.dead), "bad") if pulse.jobs.dead else "0"),
            (_("Events to relay"), _queue(pulse.events.rows, _lag(pulse.events))),
            (_("Audit entries to number"), _queue(pulse.entries.rows, _lag(pulse.entries))),
        ],
    )


def _queue(count: int, age: timedelta) -> SafeString | str:
    return chip(f"{bounded(count)} · {duration(age)}", lateness(age)) if count else "0"


def latest_runs(board: Platform, tenants: Mapping[UUID, str], *, now: datetime) -> Table:
    """Return the newest sync runs."""
    longest = max((_seconds(run, now) for run in board.latest_runs), default=0.0)
    rows = [
        [
            link(record_url("providers.connection", run.connection_id), str(run.connection)),
            chip(tenants.get(run.tenant_id, "")),
            status_chip(run),
            number(run.added),
            number(run.modified),
            number(run.removed),
            bar(_seconds(run, now), longest, duration(timedelta(seconds=_seconds(run, now)))),
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


def connections(board: Platform, tenants: Mapping[UUID, str]) -> Table:
    """Return the connections, those that need somebody first."""
    rows = [
        [
            link(record_url("providers.connection", item.pk), str(item)),
            chip(tenants.get(item.tenant_id, "")),
            item.provider,
            two_lines(status_chip(item), item.status_code),
            chip(number(item.consecutive_failures), "bad") if item.consecutive_failures else "0",
            moment(item.last_synced_at),
            due(item.next_sync_at),
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


def attention(board: Platform, *more: Sequence[Sequence[Any]]) -> Table:
    """Return what needs a person; `more` are rows of the same columns, from other parts of the board."""
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
    rows: list[Sequence[Any]] = [*incidents, *[row for part in more for row in part], *letters, *runs]
    empty = _("All quiet. No incident is open, no outcome is unknown, no job is dead, no sync has failed.")
    cells = [[two_lines(where, what), when] for what, where, when in rows]
    return Table(_("Needs attention"), [_("what"), _("when")], cells, empty)
