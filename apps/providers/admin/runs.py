"""Sync runs, as staff see them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    Notice,
    Panel,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    TimeFilter,
    about_url,
    bar,
    column,
    duration,
    link,
    moment,
    number,
    record_url,
    status_chip,
)
from apps.core.admin.panels import Tone
from apps.core.redaction import redact_text
from apps.providers.enums import SyncStatus
from apps.providers.models import SyncRun

# So many of a long list are shown on the page that it belongs to.
HISTORY = 10


def run_time(run: SyncRun) -> timedelta | None:
    """Return how long a run took, or has been taking; None before it starts."""
    return None if run.started_at is None else (run.finished_at or clock.now()) - run.started_at


def progress_notice(run: SyncRun) -> Notice:
    """Return what a run that is not over waits for, or why it is tried again."""
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


def error_code(run: SyncRun) -> str:
    """Return the code of what a run failed of."""
    return redact_text(str((run.error or {}).get("code", "")))


@admin.register(SyncRun)
class SyncRunAdmin(StaffModelAdmin):
    other_names = ("run",)
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
    list_filter = (TenantFilter, TimeFilter, "status", "trigger")
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
        return error_code(run)

    def headline(self, run: SyncRun) -> str:
        return str(run.connection)

    def subtitle(self, run: SyncRun) -> str:
        return format_html("{} {}", _("requested"), moment(run.created_at))

    def notice(self, run: SyncRun) -> Notice | None:
        """Say why it failed."""
        if run.is_active:
            return progress_notice(run)
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
            run.quarantined_rows.filter(resolved_at__isnull=True).order_by("-id")[:HISTORY] if run.quarantined else []
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
