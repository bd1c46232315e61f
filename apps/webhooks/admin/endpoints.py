"""Endpoints: how each fares, and what staff can do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    NOTHING,
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    chip,
    clock_time,
    column,
    link,
    moment,
    number,
    percent,
    progress,
    record_url,
    status_chip,
)
from apps.core.admin.panels import Tone
from apps.core.ids import lowest_id
from apps.webhooks import services
from apps.webhooks.admin import display
from apps.webhooks.admin.deliveries import attempts_of
from apps.webhooks.enums import DeliveryStatus, EndpointStatus
from apps.webhooks.models import Delivery, Endpoint

_LATEST = 15
_DAY = timedelta(days=1)
TESTED = Outcome(message("%(count)s test event is on its way"), message("%(count)s test events are on their way"))
ENABLED = Outcome(message("%(count)s endpoint enabled"), message("%(count)s endpoints enabled"))
DISABLED = Outcome(
    message("%(count)s endpoint disabled, what waited for it discarded"),
    message("%(count)s endpoints disabled, what waited for them discarded"),
)
RECOVERED = Outcome(
    message("What %(count)s endpoint missed is sent again"), message("What %(count)s endpoints missed is sent again")
)
NOTHING_LOST = Outcome(
    message("%(count)s endpoint has missed nothing since then"),
    message("%(count)s endpoints have missed nothing since then"),
)


def _test(endpoint: Endpoint, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.send_test_event(endpoint_id=endpoint.pk, actor=actor, now=now)
    return TESTED


def _enable(endpoint: Endpoint, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.update_endpoint(endpoint_id=endpoint.pk, status=EndpointStatus.ENABLED, actor=actor, now=now)
    return ENABLED


def _disable(endpoint: Endpoint, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.update_endpoint(endpoint_id=endpoint.pk, status=EndpointStatus.DISABLED, actor=actor, now=now)
    return DISABLED


def _recover(endpoint: Endpoint, actor: Actor, now: datetime, hours: str) -> Outcome:
    since = now - timedelta(hours=int(hours))
    found = services.recover(endpoint_id=endpoint.pk, since=since, actor=actor, now=now)
    return RECOVERED if found else NOTHING_LOST


def _is_live(endpoint: Endpoint) -> bool:
    return endpoint.deleted_at is None


def _is_enabled(endpoint: Endpoint) -> bool:
    return endpoint.status == EndpointStatus.ENABLED


@dataclass(frozen=True, slots=True)
class Record:
    """What became of an endpoint's deliveries of the last day."""

    succeeded: int = 0
    failed: int = 0
    pending: int = 0
    last_at: datetime | None = None

    @property
    def share(self) -> Decimal | None:
        """The part of those that are over which arrived."""
        over = self.succeeded + self.failed
        return Decimal(self.succeeded) / over if over else None

    @property
    def tone(self) -> Tone:
        """How it looks."""
        if self.share is None:
            return "idle"
        return "ok" if self.failed == 0 else ("warn" if self.share >= Decimal("0.9") else "bad")


def records_of(endpoints: Sequence[Endpoint], *, now: datetime) -> Mapping[UUID, Record]:
    """Return the last day's record of endpoints, in one query."""
    rows = (
        Delivery.objects.filter(
            tenant_id__in={item.tenant_id for item in endpoints},
            endpoint_id__in=[item.pk for item in endpoints],
            id__gte=lowest_id(now - _DAY),
        )
        .values("endpoint_id")
        .annotate(
            last_at=Max("finished_at"),
            succeeded=Count("id", filter=Q(status=DeliveryStatus.SUCCEEDED)),
            failed=Count("id", filter=Q(status=DeliveryStatus.FAILED)),
            pending=Count("id", filter=Q(status=DeliveryStatus.PENDING)),
        )
        .order_by()
    )
    return {row["endpoint_id"]: Record(row["succeeded"], row["failed"], row["pending"], row["last_at"]) for row in rows}


class LifeFilter(SimpleListFilter):
    """Endpoints in use, or deleted ones."""

    title = gettext_lazy("life")
    parameter_name = "life"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", _("In use")), ("deleted", _("Deleted"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
        if self.value() in {"live", "deleted"}:
            return queryset.filter(deleted_at__isnull=self.value() == "live")
        return queryset


@admin.register(Endpoint)
class EndpointAdmin(StaffModelAdmin):
    plural = gettext_lazy("webhook endpoints")
    list_is_live = page_is_live = True
    list_display = (
        "where",
        "tenant",
        "state",
        "asks_for",
        "rate_figure",
        "failed_figure",
        "waiting_figure",
        "last",
        "made",
    )
    list_filter = (TenantFilter, "status", LifeFilter)
    search_fields = ("url__icontains", "description__icontains")
    search_help_text = gettext_lazy("URL, description, or an id")
    empty_hint = gettext_lazy("Clients make endpoints through POST /api/v1/webhooks/endpoints.")
    facts = (
        (gettext_lazy("Endpoint"), ("url", "description", "asks_for", "last_sequence", "version", "id")),
        (gettext_lazy("Times"), ("created_at", "updated_at", "deleted_at")),
    )
    service_actions = (
        ServiceAction(
            name="test",
            label=gettext_lazy("Send a test event"),
            icon="send",
            run=_test,
            available=_is_enabled,
        ),
        ServiceAction(
            name="enable",
            label=gettext_lazy("Enable"),
            icon="play_arrow",
            run=_enable,
            available=lambda endpoint: _is_live(endpoint) and not _is_enabled(endpoint),
        ),
        ServiceAction(
            name="recover",
            label=gettext_lazy("Recover"),
            icon="history",
            run=_recover,
            confirm=gettext_lazy("What failed or was discarded since then is sent again, the oldest first."),
            options=(
                ("1", gettext_lazy("the last hour")),
                ("24", gettext_lazy("the last day")),
                ("72", gettext_lazy("the last three days")),
                ("168", gettext_lazy("the last week")),
                ("720", gettext_lazy("the last 30 days")),
            ),
            options_label=gettext_lazy("Since"),
            available=_is_enabled,
        ),
        ServiceAction(
            name="disable",
            label=gettext_lazy("Disable"),
            icon="pause",
            run=_disable,
            confirm=gettext_lazy(
                "Nothing more is sent to it, and what waits for it is discarded. What happens while it is disabled "
                "is not queued; what was discarded can be recovered once it is enabled again."
            ),
            danger=True,
            available=_is_enabled,
        ),
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each endpoint its record of the last day."""
        super().prepare_rows(request, rows)
        records = records_of(rows, now=clock.now()) if rows else {}
        for row in rows:
            row.record = records.get(row.pk, Record())

    @column(gettext_lazy("endpoint"))
    def where(self, endpoint: Endpoint) -> str:
        return display.where(endpoint)

    @column(gettext_lazy("status"))
    def state(self, endpoint: Endpoint) -> SafeString:
        if endpoint.deleted_at is not None:
            return chip(_("Deleted"))
        if endpoint.disabled_reason:
            return format_html("{} {}", chip(_("Disabled"), "bad"), display.reason(endpoint.disabled_reason))
        return status_chip(endpoint, disabled="warn")

    @column(gettext_lazy("asks for"))
    def asks_for(self, endpoint: Endpoint) -> str:
        return ", ".join(endpoint.event_types[:3]) + (" …" if len(endpoint.event_types) > 3 else "") or _("everything")

    @column(gettext_lazy("arrived in 24 h"))
    def rate_figure(self, endpoint: Any) -> str:
        record: Record = endpoint.record
        if record.share is None:
            return NOTHING
        return progress(record.share, format_html('<b class="fo-{}">{}</b>', record.tone, percent(record.share)))

    @column(gettext_lazy("failed"))
    def failed_figure(self, endpoint: Any) -> str:
        return chip(number(endpoint.record.failed), "bad") if endpoint.record.failed else "0"

    @column(gettext_lazy("waiting"))
    def waiting_figure(self, endpoint: Any) -> str:
        return number(endpoint.record.pending)

    @column(gettext_lazy("last delivery"))
    def last(self, endpoint: Any) -> str:
        return moment(endpoint.record.last_at)

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
        if endpoint.disabled_reason == "gone":
            text = _("It answered 410 Gone, which asks us to stop.")
            return Notice(_("Disabled by the platform"), text, _("Ask the client; then enable and recover."), "bad")
        if endpoint.status == EndpointStatus.DISABLED:
            return Notice(_("Disabled"), _("Nothing is sent, and nothing is queued."), tone="warn")
        if endpoint.record.failed:
            text = _("%(count)s of the last day's deliveries were given up.") % {
                "count": number(endpoint.record.failed)
            }
            remedy = _("See what it answered below, have it mended, then recover what it missed.")
            return Notice(_("Deliveries fail"), text, remedy, endpoint.record.tone)
        return None

    def stats(self, endpoint: Any) -> Sequence[Stat]:
        record: Record = endpoint.record
        return (
            Stat(_("Arrived in 24 h"), percent(record.share), tone=record.tone),
            Stat(_("Succeeded"), number(record.succeeded)),
            Stat(_("Failed"), number(record.failed), tone="bad" if record.failed else "idle"),
            Stat(_("Waiting"), number(record.pending)),
            Stat(_("Last delivery"), moment(record.last_at)),
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
                moment(item.next_attempt_at),
            ]
            for item in latest
        ]
        headers = [_("time"), _("event"), _("status"), _("attempts"), _("last answer"), _("next attempt")]
        return [
            Table(
                _("Latest deliveries"),
                headers,
                rows,
                _("Nothing has been sent to it yet. A test event shows whether it listens."),
                numeric=frozenset({3}),
                more_url=about_url("webhooks.delivery", endpoint),
                more_label=_("All deliveries"),
            )
        ]

    def related_links(self, endpoint: Endpoint) -> Sequence[tuple[str, str]]:
        return (
            (_("All deliveries"), about_url("webhooks.delivery", endpoint)),
            (_("Failed deliveries"), f"{about_url('webhooks.delivery', endpoint)}&status__exact=failed"),
            (_("Incidents"), about_url("incidents.incident", endpoint)),
            (_("Audit log"), about_url("audit.auditentry", endpoint)),
        )
