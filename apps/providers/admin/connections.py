"""Connections, sync runs and quarantined rows, as staff see them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    bar,
    chip,
    column,
    due,
    duration,
    link,
    moment,
    number,
    one_of,
    pretty,
    recent_values,
    record_url,
    status_chip,
    two_lines,
)
from apps.core.admin.panels import Tone
from apps.core.redaction import redact_text
from apps.providers.enums import ConnectionStatus, SyncStatus, SyncTrigger
from apps.providers.models import ACTIVE_RUN, Connection, QuarantinedRow, SyncRun
from apps.providers.services import delete_connection, request_sync

_HISTORY = 10

SYNC_QUEUED = Outcome(message("%(count)s sync queued"), message("%(count)s syncs queued"))
SYNC_RUNNING = Outcome(message("%(count)s already under way"), message("%(count)s already under way"))
DISABLED = Outcome(
    message("%(count)s connection disabled, its credentials destroyed"),
    message("%(count)s connections disabled, their credentials destroyed"),
)


def _sync(connection: Connection, actor: Actor, now: datetime, _reason: str) -> Outcome:
    run = request_sync(connection_id=connection.pk, trigger=SyncTrigger.STAFF, actor=actor, now=now)
    return SYNC_QUEUED if run.created_at == now else SYNC_RUNNING


def _disable(connection: Connection, actor: Actor, now: datetime, _reason: str) -> Outcome:
    delete_connection(connection_id=connection.pk, actor=actor, now=now)
    return DISABLED


def run_time(run: SyncRun) -> timedelta | None:
    """Return how long a run took, or has been taking; None before it starts."""
    return None if run.started_at is None else (run.finished_at or clock.now()) - run.started_at


@admin.register(Connection)
class ConnectionAdmin(StaffModelAdmin):
    list_display = ("name", "tenant", "provider", "state", "last_sync", "next_sync", "failures")
    list_filter = (TenantFilter, "status", "provider")
    search_fields = ("label", "provider", "external_id")
    search_help_text = gettext_lazy("Label, provider, enrolment or id")
    empty_hint = gettext_lazy(
        "A tenant connects its bank with POST /api/v1/connections; its first sync starts at once."
    )
    service_actions = (
        ServiceAction(
            name="sync_now",
            label=gettext_lazy("Sync now"),
            icon="sync",
            run=_sync,
            available=lambda connection: not connection.is_disabled,
        ),
        ServiceAction(
            name="disable",
            label=gettext_lazy("Disable"),
            icon="link_off",
            run=_disable,
            confirm=gettext_lazy(
                "The credentials are destroyed and the connection can never sync again; its accounts are closed "
                "and stay with their transactions. The tenant would have to connect anew."
            ),
            danger=True,
            permission="delete",
            available=lambda connection: not connection.is_disabled,
        ),
    )
    facts = (
        (
            gettext_lazy("Connection"),
            ("provider", "external_id", "created_at", "updated_at", "version", "deleted_at", "id"),
        ),
    )

    @column(gettext_lazy("connection"))
    def name(self, connection: Connection) -> str:
        return str(connection)

    @column(gettext_lazy("status"))
    def state(self, connection: Connection) -> str:
        return two_lines(status_chip(connection), connection.status_code)

    @column(gettext_lazy("last synced"))
    def last_sync(self, connection: Connection) -> str:
        return moment(connection.last_synced_at)

    @column(gettext_lazy("next sync"))
    def next_sync(self, connection: Connection) -> str:
        return due(connection.next_sync_at)

    @column(gettext_lazy("failures in a row"))
    def failures(self, connection: Connection) -> str:
        count = connection.consecutive_failures
        return chip(number(count), "bad") if count else "0"

    def subtitle(self, connection: Connection) -> str:
        return f"{connection.provider} · {connection.external_id or connection.pk}"

    def notice(self, connection: Connection) -> Notice | None:
        """Say why it does not sync and what to do, or that it is syncing."""
        run = _active_run(connection)
        if run is not None:
            return _progress(run)
        if connection.status == ConnectionStatus.DISABLED:
            return Notice(
                _("This connection is disabled"),
                _("Its credentials are destroyed; its accounts are closed and stay, with their transactions."),
                _("To sync again the tenant connects anew with POST /api/v1/connections."),
                "info",
            )
        if connection.status != ConnectionStatus.NEEDS_ATTENTION and not connection.consecutive_failures:
            return None
        title = _("Needs attention: %(code)s") if connection.status_code else _("The last syncs failed")
        tone: Tone = "bad" if connection.status == ConnectionStatus.NEEDS_ATTENTION else "warn"
        remedy = _("It is tried again %(when)s; “Sync now” tries at once.") % {
            "when": _("on schedule") if connection.next_sync_at is None else _("by itself when the next sync is due")
        }
        return Notice(title % {"code": connection.status_code}, connection.status_message, remedy, tone)

    def is_moving(self, connection: Connection) -> bool:
        """Keep the page current while a sync waits or works."""
        return _active_run(connection) is not None

    def stats(self, connection: Connection) -> Sequence[Stat]:
        failures = connection.consecutive_failures
        return (
            Stat(_("Last synced"), moment(connection.last_synced_at)),
            Stat(_("Next sync"), due(connection.next_sync_at)),
            Stat(_("Failures in a row"), number(failures), tone="bad" if failures else "idle"),
        )

    def panels(self, request: HttpRequest, connection: Connection) -> Sequence[Panel]:
        runs = list(connection.runs.order_by("-id")[:_HISTORY])
        return [_runs_table(connection, runs)]

    def related_links(self, connection: Connection) -> Sequence[tuple[str, str]]:
        return (
            (_("All sync runs"), about_url("providers.syncrun", connection)),
            (_("Jobs"), about_url("jobs.job", connection)),
            (_("Quarantined rows"), about_url("providers.quarantinedrow", connection)),
            (_("Inbound webhooks"), about_url("providers.inboundhook", connection)),
            (_("Refused webhooks"), about_url("providers.refusedhook", connection)),
            (_("Incidents"), about_url("incidents.incident", connection)),
            (_("Events"), about_url("outbox.outboxevent", connection)),
            (_("Audit log"), about_url("audit.auditentry", connection)),
        )


def _active_run(connection: Connection) -> SyncRun | None:
    if not hasattr(connection, "_shown_run"):
        connection._shown_run = connection.runs.filter(status__in=ACTIVE_RUN).first()  # type: ignore[attr-defined]
    return connection._shown_run  # type: ignore[attr-defined, no-any-return]


def _progress(run: SyncRun) -> Notice:
    if run.error:
        error: dict[str, Any] = run.error
        title = _("Attempt %(number)s failed: %(code)s") % {
            "number": run.attempt,
            "code": redact_text(str(error.get("code", ""))),
        }
        remedy = _("It is tried again by itself; the job says when.")
        return Notice(title, redact_text(str(error.get("message", ""))), remedy, "warn")
    if run.status == SyncStatus.QUEUED:
        text = _("It waits for a worker since %(time)s.") % {"time": duration(clock.now() - run.created_at)}
        return Notice(_("A sync is queued"), text, tone="run")
    text = _("Attempt %(number)s, for %(time)s so far. This page follows it.") % {
        "number": run.attempt,
        "time": duration(run_time(run)),
    }
    return Notice(_("A sync is under way"), text, tone="run")


def _runs_table(connection: Connection, runs: Sequence[SyncRun]) -> Table:
    times = [run_time(run) or timedelta(0) for run in runs]
    longest = max((time.total_seconds() for time in times), default=0)
    rows = [
        [
            link(record_url("providers.syncrun", run.pk), moment(run.created_at)),
            two_lines(status_chip(run), _error(run)),
            run.get_trigger_display(),
            *[number(getattr(run, name)) for name in ("added", "modified", "removed", "unchanged", "quarantined")],
            bar(time.total_seconds(), longest, duration(time) if run.started_at else "–"),
        ]
        for run, time in zip(runs, times, strict=True)
    ]
    return Table(
        _("Latest sync runs"),
        [
            _("requested"),
            _("status"),
            _("trigger"),
            _("new"),
            _("changed"),
            _("removed"),
            _("same"),
            _("quarantine"),
            _("took"),
        ],
        rows,
        empty=_("It has not synced yet. “Sync now” starts the first run."),
        numeric=frozenset(range(3, 8)),
        more_url=about_url("providers.syncrun", connection),
        more_label=_("All runs"),
    )


def _error(run: SyncRun) -> str:
    return redact_text(str((run.error or {}).get("code", "")))


@admin.register(SyncRun)
class SyncRunAdmin(StaffModelAdmin):
    list_display = (
        "requested",
        "tenant",
        "of_connection",
        "state",
        "trigger",
        "added",
        "modified",
        "removed",
        "unchanged",
        "quarantined",
        "took",
        "reason",
    )
    list_select_related = ("connection",)
    list_filter = (TenantFilter, "status", "trigger")
    search_fields = ("connection__label",)
    search_ids = ("id", "connection_id", "job_id")
    search_help_text = gettext_lazy("Connection's label, or an id")
    empty_hint = gettext_lazy("Runs appear when a connection is due, or when someone presses “Sync now”.")
    facts = (
        (
            gettext_lazy("Run"),
            ("trigger", "attempt", "created_at", "started_at", "finished_at", "id"),
        ),
    )

    @column(gettext_lazy("requested"))
    def requested(self, run: SyncRun) -> str:
        return moment(run.created_at)

    @column(gettext_lazy("connection"))
    def of_connection(self, run: SyncRun) -> str:
        return link(record_url("providers.connection", run.connection_id), str(run.connection))

    @column(gettext_lazy("status"))
    def state(self, run: SyncRun) -> str:
        return status_chip(run)

    @column(gettext_lazy("took"))
    def took(self, run: SyncRun) -> str:
        return duration(run_time(run))

    @column(gettext_lazy("error"))
    def reason(self, run: SyncRun) -> str:
        return _error(run)

    def headline(self, run: SyncRun) -> str:
        return str(run.connection)

    def subtitle(self, run: SyncRun) -> str:
        return format_html("{} {}", _("requested"), moment(run.created_at))

    def notice(self, run: SyncRun) -> Notice | None:
        """Say why it failed."""
        if run.is_active:
            return _progress(run)
        if not run.error:
            return None
        error: dict[str, Any] = run.error
        remedy = _("See the connection for its state; “Sync now” there starts another run.")
        title = _("Failed: %(code)s") % {"code": redact_text(str(error.get("code", "")))}
        tone: Tone = "bad" if run.status == SyncStatus.FAILED else "warn"
        return Notice(title, redact_text(str(error.get("message", ""))), remedy, tone)

    def is_moving(self, run: SyncRun) -> bool:
        """Keep the page current while the run waits or works."""
        return run.is_active

    def stats(self, run: SyncRun) -> Sequence[Stat]:
        return (
            Stat(_("New"), number(run.added)),
            Stat(_("Changed"), number(run.modified)),
            Stat(_("Removed"), number(run.removed)),
            Stat(_("Unchanged"), number(run.unchanged)),
            Stat(_("Quarantined"), number(run.quarantined), tone="warn" if run.quarantined else "idle"),
            Stat(_("Took"), duration(run_time(run))),
        )

    def panels(self, request: HttpRequest, run: SyncRun) -> Sequence[Panel]:
        rejected = (
            run.quarantined_rows.filter(resolved_at__isnull=True).order_by("-id")[:_HISTORY] if run.quarantined else []
        )
        return [_stages_table(run), *([_quarantine_table(rejected)] if run.quarantined else [])]

    def related_links(self, run: SyncRun) -> Sequence[tuple[str, str]]:
        return (
            (_("Connection"), record_url("providers.connection", run.connection_id)),
            (_("Job"), record_url("jobs.job", run.job_id)),
            (_("Quarantined rows"), about_url("providers.quarantinedrow", run)),
            (_("Audit log"), about_url("audit.auditentry", run, run.connection_id)),
        )


def _stages_table(run: SyncRun) -> Table:
    timed = {name: value for name, value in run.stages.items() if isinstance(value, int | float)}
    total = sum(timed.values())
    rows = [
        [
            name.removesuffix("_ms").replace("_", " "),
            bar(value, max(timed.values()), f"{value:,.0f} ms"),
            f"{value / total:.0%}",
        ]
        for name, value in sorted(timed.items(), key=lambda item: -item[1])
        if total
    ]
    empty = _("A run leaves its stages when it ends.")
    return Table(_("Stages"), [_("stage"), _("time"), _("share")], rows, empty, numeric=frozenset({2}))


def _quarantine_table(rows: Any) -> Table:
    return Table(
        _("Quarantined rows"),
        [_("entity"), _("row"), _("reason"), _("seen")],
        [
            [
                row.entity,
                link(record_url("providers.quarantinedrow", row.pk), row.row_key),
                row.reason,
                number(row.occurrences),
            ]
            for row in rows
        ],
        empty=_("All of them map by now."),
        numeric=frozenset({3}),
    )


OPEN_FILTER = one_of(
    "state",
    gettext_lazy("state"),
    {
        "open": (gettext_lazy("Open"), Q(resolved_at=None)),
        "resolved": (gettext_lazy("Resolved"), Q(resolved_at__isnull=False)),
    },
)


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(StaffModelAdmin):
    list_display = ("row", "tenant", "of_connection", "entity", "reason_text", "occurrences", "seen")
    list_select_related = ("connection",)
    list_filter = (TenantFilter, OPEN_FILTER, recent_values("entity", gettext_lazy("entity")))
    search_fields = ("row_key", "reason")
    search_ids = ("id", "connection_id", "run_id")
    empty_hint = gettext_lazy(
        "A provider's row that cannot be understood lands here instead of being dropped. None has."
    )
    facts = (
        (
            gettext_lazy("Row"),
            ("entity", "row_key", "occurrences", "first_seen_at", "last_seen_at", "resolved_at", "id"),
        ),
    )

    @column(gettext_lazy("row"))
    def row(self, row: QuarantinedRow) -> str:
        return row.row_key

    @column(gettext_lazy("connection"))
    def of_connection(self, row: QuarantinedRow) -> str:
        return link(record_url("providers.connection", row.connection_id), str(row.connection))

    @column(gettext_lazy("reason"))
    def reason_text(self, row: QuarantinedRow) -> str:
        return redact_text(row.reason)

    @column(gettext_lazy("last seen"))
    def seen(self, row: QuarantinedRow) -> str:
        return moment(row.last_seen_at)

    def headline(self, row: QuarantinedRow) -> str:
        return f"{row.entity} {row.row_key}"

    def notice(self, row: QuarantinedRow) -> Notice | None:
        """Say why it is here, unless it maps by now."""
        if row.resolved_at is not None:
            return None
        return Notice(
            _("The provider's row did not map to ours"),
            redact_text(row.reason),
            _("The rest of the sync went through. A fix of the adapter reads the row on the next sync."),
            "warn",
        )

    def panels(self, request: HttpRequest, row: QuarantinedRow) -> Sequence[Panel]:
        return [Source(_("What the provider sent (redacted)"), pretty(row.excerpt))]

    def related_links(self, row: QuarantinedRow) -> Sequence[tuple[str, str]]:
        links = [(_("Connection"), record_url("providers.connection", row.connection_id))]
        return [*links, (_("Sync run"), record_url("providers.syncrun", row.run_id))] if row.run_id else links
