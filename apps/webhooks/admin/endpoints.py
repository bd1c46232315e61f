"""Endpoints, and how each fares."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.core import clock
from apps.core.admin import (
    NOTHING,
    Notice,
    Panel,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    chip,
    clock_time,
    column,
    duration,
    link,
    moment,
    number,
    one_of,
    percent,
    progress,
    record_url,
    status_chip,
    tag,
    two_lines,
)
from apps.core.admin.panels import Tone
from apps.webhooks.admin import ailing, display
from apps.webhooks.admin.deliveries import attempts_of
from apps.webhooks.admin.endpoint_actions import ACTIONS
from apps.webhooks.admin.event_types import URL_NAME, event_types_url, event_types_view
from apps.webhooks.enums import DISABLED_AS_FAILING, DISABLED_AS_GONE, EndpointStatus
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.selectors.records import IN_A_ROW, Attempts, Record, records_of

_LATEST = 15


def tone_of(attempts: Attempts) -> Tone:
    """Return how an endpoint's attempts look: bad while it fails, and where a tenth of them has."""
    if attempts.share is None:
        return "idle"
    if attempts.failures_in_a_row >= IN_A_ROW or attempts.share < Decimal("0.9"):
        return "bad"
    return "warn" if attempts.failed else "ok"


LIFE_FILTER = one_of(
    "life",
    gettext_lazy("life"),
    {
        "live": (gettext_lazy("In use"), Q(deleted_at=None)),
        "deleted": (gettext_lazy("Deleted"), Q(deleted_at__isnull=False)),
    },
)


@admin.register(Endpoint)
class EndpointAdmin(StaffModelAdmin):
    other_names = ("webhook_endpoint", "endpoint")
    plural = gettext_lazy("webhook endpoints")
    list_is_live = page_is_live = True
    list_display = (
        "where",
        "tenant",
        "state",
        "asks_for",
        "rate_figure",
        "failed_figure",
        "took_figure",
        "waiting_figure",
        "last",
        "made",
    )
    list_filter = (TenantFilter, "status", LIFE_FILTER)
    search_fields = ("url__icontains", "description__icontains")
    search_help_text = gettext_lazy("URL, description, or an id")
    empty_hint = gettext_lazy("Clients make endpoints through POST /api/v1/webhooks/endpoints.")
    facts = (
        (gettext_lazy("Endpoint"), ("url", "description", "asks_for", "last_sequence", "version", "id")),
        (gettext_lazy("Requests"), ("api_version", "signing", "public_key", "own_headers")),
        (gettext_lazy("Times"), ("created_at", "updated_at", "deleted_at")),
    )
    service_actions = ACTIONS

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(event_types_view)
        return [path("event-types/", view, name=URL_NAME), *super().get_urls()]

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each endpoint its record."""
        super().prepare_rows(request, rows)
        records = records_of(rows, now=clock.now())
        for row in rows:
            row.record = records[row.pk]

    @column(gettext_lazy("endpoint"))
    def where(self, endpoint: Endpoint) -> str:
        return display.where(endpoint)

    @column(gettext_lazy("status"))
    def state(self, endpoint: Endpoint) -> SafeString:
        if endpoint.deleted_at is not None:
            return chip(_("Deleted"))
        if endpoint.disabled_reason:
            return format_html("{} {}", chip(_("Disabled"), "bad"), tag(endpoint.disabled_reason))
        return status_chip(endpoint, disabled="warn")

    @column(gettext_lazy("asks for"))
    def asks_for(self, endpoint: Endpoint) -> str:
        return ", ".join(endpoint.event_types[:3]) + (" …" if len(endpoint.event_types) > 3 else "") or _("everything")

    @column(gettext_lazy("headers of its own"))
    def own_headers(self, endpoint: Endpoint) -> str:
        return ", ".join(f"{name}: ••••" for name in endpoint.header_names) or NOTHING

    @column(gettext_lazy("arrived in 24 h"))
    def rate_figure(self, endpoint: Any) -> str:
        attempts: Attempts = endpoint.record.attempts
        if attempts.share is None:
            return NOTHING
        text = format_html('<b class="fo-{}">{}</b>', tone_of(attempts), percent(attempts.share))
        return progress(attempts.share, text)

    @column(gettext_lazy("failed attempts"))
    def failed_figure(self, endpoint: Any) -> str:
        attempts: Attempts = endpoint.record.attempts
        if not attempts.failed:
            return "0"
        return two_lines(chip(number(attempts.failed), tone_of(attempts)), _in_a_row(attempts))

    @column(gettext_lazy("took"))
    def took_figure(self, endpoint: Any) -> str:
        return _times(endpoint.record.attempts)

    @column(gettext_lazy("waiting"))
    def waiting_figure(self, endpoint: Any) -> str:
        record: Record = endpoint.record
        return two_lines(number(record.pending), moment(record.waiting_since)) if record.pending else "0"

    @column(gettext_lazy("last attempt"))
    def last(self, endpoint: Any) -> str:
        return moment(endpoint.record.attempts.last_at)

    @column(gettext_lazy("created"))
    def made(self, endpoint: Endpoint) -> str:
        return moment(endpoint.created_at)

    def headline(self, endpoint: Endpoint) -> str:
        return display.short_url(endpoint.url)

    def subtitle(self, endpoint: Endpoint) -> str:
        return endpoint.description

    def status(self, endpoint: Endpoint) -> str:
        return self.state(endpoint)

    def notice(self, endpoint: Any) -> Notice | None:
        """Say why nothing is sent, or what fails."""
        if endpoint.deleted_at is not None:
            return Notice(_("The client deleted this endpoint"), _("Its deliveries are kept."), tone="info")
        if endpoint.disabled_reason == DISABLED_AS_GONE:
            text = _("It answered 410 Gone, which asks us to stop.")
            return Notice(_("Disabled by the platform"), text, _("Ask the client; then “Enable and replay”."), "bad")
        if endpoint.disabled_reason == DISABLED_AS_FAILING:
            return _given_up(endpoint)
        if endpoint.status == EndpointStatus.DISABLED:
            return Notice(_("Disabled"), _("Nothing is sent, and nothing is queued."), tone="warn")
        return ailing.notice_of(endpoint) or _trouble(endpoint.record)

    def stats(self, endpoint: Any) -> Sequence[Stat]:
        record: Record = endpoint.record
        attempts = record.attempts
        since = duration(clock.now() - record.waiting_since) if record.waiting_since else ""
        return (
            Stat(_("Arrived in 24 h"), percent(attempts.share), tone=tone_of(attempts)),
            Stat(_("Delivered"), number(attempts.delivered)),
            Stat(
                _("Failed attempts"),
                number(attempts.failed),
                _in_a_row(attempts),
                tone_of(attempts) if attempts.failed else "idle",
            ),
            Stat(_("Took"), _times(attempts), _("half of them · 99 %")),
            Stat(_("Waiting"), number(record.pending), _("oldest %(age)s") % {"age": since} if since else ""),
            Stat(_("Last attempt"), moment(attempts.last_at)),
        )

    def panels(self, request: HttpRequest, endpoint: Endpoint) -> Sequence[Panel]:
        deliveries = Delivery.objects.filter(tenant_id=endpoint.tenant_id, endpoint=endpoint).defer("body")
        latest = list(deliveries.order_by("-id")[:_LATEST])
        attempts = attempts_of(latest)
        rows = [
            [
                clock_time(item.created_at),
                link(record_url("webhooks.delivery", item.pk), item.event_type),
                status_chip(item),
                number(len(attempts.get(item.pk, []))),
                display.last_answer(attempts.get(item.pk, [])),
                display.next_attempt(item),
            ]
            for item in latest
        ]
        headers = [_("time (UTC)"), _("event"), _("status"), _("attempts"), _("last answer"), _("next attempt")]
        return [
            *ailing.panels_of(endpoint, now=clock.now()),
            Table(
                _("Latest deliveries"),
                headers,
                rows,
                _("Nothing has been sent to it yet. A test event shows whether it listens."),
                numeric=frozenset({3}),
                more_url=about_url("webhooks.delivery", endpoint),
                more_label=_("All deliveries"),
            ),
        ]

    def related_links(self, endpoint: Endpoint) -> Sequence[tuple[str, str]]:
        return (
            (_("All deliveries"), about_url("webhooks.delivery", endpoint)),
            (_("Failed deliveries"), f"{about_url('webhooks.delivery', endpoint)}&status__exact=failed"),
            (_("Event types"), event_types_url()),
            (_("Incidents"), about_url("incidents.incident", endpoint)),
            (_("Audit log"), about_url("audit.auditentry", endpoint)),
        )


def _given_up(endpoint: Endpoint) -> Notice:
    is_kept = endpoint.held_until is not None and endpoint.held_until > clock.now()
    text = (
        _("Nothing has arrived since %(since)s UTC. What happens is kept for it until %(until)s UTC.")
        if is_kept
        else _("Nothing has arrived since %(since)s UTC. What happened was kept for it until %(until)s UTC.")
    ) % {
        "since": f"{endpoint.failing_since:%Y-%m-%d %H:%M}" if endpoint.failing_since else "?",
        "until": f"{endpoint.held_until:%Y-%m-%d %H:%M}" if endpoint.held_until else "?",
    }
    remedy = _("Its owners were told by e-mail. Once their server is well again: “Enable and replay”.")
    if is_kept:
        remedy = f"{remedy} {_('Nothing is lost.')}"
    return Notice(_("Disabled after days of failure"), text, remedy, "bad")


def _in_a_row(attempts: Attempts) -> str:
    count = attempts.failures_in_a_row
    return _("%(count)s in a row") % {"count": number(count)} if count else ""


def _times(attempts: Attempts) -> str:
    return f"{duration(attempts.middle)} · {duration(attempts.slowest)}" if attempts.middle is not None else "–"


def _trouble(record: Record) -> Notice | None:
    """Say what fails now, or what was given up."""
    failures = record.attempts.failures_in_a_row
    if failures:
        text = ngettext("The last attempt has failed.", "The last %(count)s attempts have failed.", failures)
        remedy = _("See what it answered below, and have it mended. What waits is tried again for 28 hours.")
        return Notice(_("Deliveries fail"), text % {"count": number(failures)}, remedy, tone_of(record.attempts))
    if record.given_up:
        text = _("%(count)s of the deliveries of the last day were given up.") % {"count": number(record.given_up)}
        return Notice(_("Deliveries have failed"), text, _("Recover what it missed."), "warn")
    return None
