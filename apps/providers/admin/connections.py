"""Connections, as staff see them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
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
    record_url,
    status_chip,
    two_lines,
)
from apps.core.admin.panels import Tone
from apps.providers.admin.runs import HISTORY, error_code, progress_notice, run_time
from apps.providers.enums import ConnectionStatus, SyncTrigger
from apps.providers.models import ACTIVE_RUN, Connection, SyncRun
from apps.providers.services import delete_connection, request_sync

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
            return progress_notice(run)
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
        runs = list(connection.runs.order_by("-id")[:HISTORY])
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


def _runs_table(connection: Connection, runs: Sequence[SyncRun]) -> Table:
    times = [run_time(run) or timedelta(0) for run in runs]
    longest = max((time.total_seconds() for time in times), default=0)
    rows = [
        [
            link(record_url("providers.syncrun", run.pk), moment(run.created_at)),
            two_lines(status_chip(run), error_code(run)),
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
