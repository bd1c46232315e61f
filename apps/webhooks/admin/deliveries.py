"""The delivery log and a delivery's page."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
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
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    TimeFilter,
    about_url,
    bar,
    clock_time,
    code,
    column,
    duration,
    exact,
    link,
    moment,
    number,
    one_of,
    pretty,
    record_url,
    short_id,
    status_chip,
    target_links,
)
from apps.core.redaction import redact_text
from apps.outbox.catalogue import event_types
from apps.webhooks import services
from apps.webhooks.admin import display
from apps.webhooks.admin.ailing import remedy_of
from apps.webhooks.admin.event_types import event_types_url
from apps.webhooks.enums import DeliveryStatus, EndpointStatus
from apps.webhooks.models import Delivery, DeliveryAttempt
from apps.webhooks.selectors import are_due

RETRIED = Outcome(message("%(count)s delivery is sent again"), message("%(count)s deliveries are sent again"))
_AT_MOST = 100


def _retry(delivery: Delivery, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.retry_delivery(delivery_id=delivery.pk, actor=actor, now=now)
    return RETRIED


def attempts_of(deliveries: Sequence[Delivery]) -> dict[UUID, list[DeliveryAttempt]]:
    """Return each delivery's attempts, the first one first, in one query."""
    found: dict[UUID, list[DeliveryAttempt]] = {}
    tenants = {delivery.tenant_id for delivery in deliveries}
    ids = [delivery.pk for delivery in deliveries]
    for attempt in DeliveryAttempt.objects.filter(tenant_id__in=tenants, delivery_id__in=ids).order_by("id"):
        found.setdefault(attempt.delivery_id, []).append(attempt)
    return found


_PENDING = Q(status=DeliveryStatus.PENDING)
DUE_FILTER = one_of(
    "waiting",
    gettext_lazy("waiting"),
    {
        "due": (gettext_lazy("Due now"), lambda: are_due(clock.now())),
        "sent": (gettext_lazy("Being sent"), lambda: _PENDING & Q(leased_until__gt=clock.now())),
        "later": (gettext_lazy("For a later attempt"), lambda: _PENDING & Q(next_attempt_at__gt=clock.now())),
        "turn": (gettext_lazy("For an earlier delivery"), _PENDING & Q(next_attempt_at=None)),
    },
)


class EventTypeFilter(SimpleListFilter):
    """Deliveries of one event type of the catalogue, whether any of it is among the newest or not."""

    title = gettext_lazy("event")
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(event_types())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(event_type=self.value()) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(StaffModelAdmin):
    other_names = ("webhook_delivery",)
    plural = gettext_lazy("deliveries")
    list_is_live = page_is_live = True
    not_in_list = ("body",)
    list_display = (
        "made",
        "event",
        "tenant",
        "to",
        "state",
        "tries_figure",
        "answer",
        "said",
        "next_try",
        "after_figure",
    )
    list_display_links = ("event",)
    list_filter = (TenantFilter, TimeFilter, "status", DUE_FILTER, EventTypeFilter)
    list_select_related = ("endpoint",)
    search_fields = ("event_type__startswith",)
    search_ids = ("id", "event_id", "entity_id", "endpoint_id")
    search_help_text = gettext_lazy("Beginning of an event type, webhook-id, or an id")
    empty_hint = gettext_lazy("Each event is delivered to every endpoint that asked for it. Nobody has asked yet.")
    facts = (
        (
            gettext_lazy("Delivery"),
            ("to", "message_id", "sequence", "before", "event_fact", "entity_id"),
        ),
        (gettext_lazy("Times"), ("created_at", "finished_at", "next_try", "leased_until", "fence")),
    )
    service_actions = (
        ServiceAction(
            name="retry",
            label=gettext_lazy("Send again"),
            icon="replay",
            run=_retry,
            available=lambda delivery: delivery.endpoint.status == EndpointStatus.ENABLED,
        ),
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each delivery its attempts."""
        super().prepare_rows(request, rows)
        attempts = attempts_of(rows) if rows else {}
        for row in rows:
            row.tries = attempts.get(row.pk, [])

    @column(gettext_lazy("time (UTC)"))
    def made(self, delivery: Delivery) -> str:
        return clock_time(delivery.created_at)

    @column(gettext_lazy("event"))
    def event(self, delivery: Delivery) -> str:
        return delivery.event_type

    @column(gettext_lazy("endpoint"))
    def to(self, delivery: Delivery) -> str:
        return link(record_url("webhooks.endpoint", delivery.endpoint_id), display.short_url(delivery.endpoint.url))

    @column(gettext_lazy("status"))
    def state(self, delivery: Delivery) -> str:
        return status_chip(delivery)

    @column(gettext_lazy("attempts"))
    def tries_figure(self, delivery: Any) -> str:
        return number(len(delivery.tries))

    @column(gettext_lazy("last answer"))
    def answer(self, delivery: Any) -> str:
        return display.last_answer(delivery.tries)

    @column(gettext_lazy("response"))
    def said(self, delivery: Any) -> str:
        return display.excerpt(delivery.tries[-1]) if delivery.tries else NOTHING

    @column(gettext_lazy("next attempt"))
    def next_try(self, delivery: Delivery) -> str:
        return display.next_attempt(delivery)

    @column(gettext_lazy("arrived after"))
    def after_figure(self, delivery: Delivery) -> str:
        if delivery.status != DeliveryStatus.SUCCEEDED or delivery.finished_at is None:
            return NOTHING
        return duration(delivery.finished_at - delivery.created_at)

    @column(gettext_lazy("webhook-id"))
    def message_id(self, delivery: Delivery) -> str:
        return str(delivery.pk)

    @column(gettext_lazy("delivery before"))
    def before(self, delivery: Delivery) -> str:
        if delivery.previous_id is None:
            return NOTHING
        return link(record_url("webhooks.delivery", delivery.previous_id), short_id(delivery.previous_id))

    @column(gettext_lazy("event"))
    def event_fact(self, delivery: Delivery) -> str:
        return link(record_url("outbox.outboxevent", delivery.event_id), short_id(delivery.event_id))

    def headline(self, delivery: Delivery) -> str:
        return delivery.event_type

    def subtitle(self, delivery: Delivery) -> str:
        return delivery.endpoint.url

    def is_moving(self, delivery: Delivery) -> bool:
        return delivery.status == DeliveryStatus.PENDING

    def notice(self, delivery: Any) -> Notice | None:
        """Say why a delivery has not arrived, and what to do."""
        if delivery.status == DeliveryStatus.SUCCEEDED:
            return None
        latest = delivery.tries[-1] if delivery.tries else None
        why = _why(latest) if latest else ""
        remedy = remedy_of(latest.error, latest.status_code) if latest and latest.error else ""
        if delivery.status == DeliveryStatus.FAILED:
            after = _("Then send it again: it keeps its webhook-id and its bytes.")
            return Notice(_("It was not accepted, and is not tried any more"), why, f"{remedy} {after}".strip())
        if delivery.status == DeliveryStatus.DISCARDED:
            text = _("The endpoint was disabled or deleted while the delivery waited.")
            return Notice(_("Discarded"), text, _("Enable the endpoint, then recover what was discarded."), "warn")
        if delivery.next_attempt_at is None and delivery.leased_until is None:
            text = _("An earlier delivery about the same thing has not arrived yet, and the order is kept.")
            return Notice(_("It waits for its turn"), text, tone="info")
        return Notice(_("It has not arrived yet"), why, remedy, tone="warn") if latest else None

    def stats(self, delivery: Any) -> Sequence[Stat]:
        return (
            Stat(_("Attempts"), number(len(delivery.tries))),
            Stat(_("Last answer"), display.last_answer(delivery.tries)),
            Stat(_("Arrived after"), self.after_figure(delivery)),
            Stat(_("Next attempt"), self.next_try(delivery)),
            Stat(_("Made"), moment(delivery.created_at)),
        )

    def panels(self, request: HttpRequest, delivery: Any) -> Sequence[Panel]:
        return [_attempts_table(delivery.tries), Source(_("Body, as sent"), _body(delivery.body))]

    def related_links(self, delivery: Delivery) -> Sequence[tuple[str, str]]:
        noun = delivery.event_type.partition(".")[0]
        return [
            *target_links([(noun, str(delivery.entity_id))]),
            (_("Endpoint"), record_url("webhooks.endpoint", delivery.endpoint_id)),
            (_("Event"), record_url("outbox.outboxevent", delivery.event_id)),
            (_("Deliveries of this event"), about_url("webhooks.delivery", delivery, delivery.event_id)),
            (_("Deliveries about the same thing"), about_url("webhooks.delivery", delivery, delivery.entity_id)),
            (_("What the type means"), event_types_url(delivery.event_type)),
            (_("Audit log"), about_url("audit.auditentry", delivery)),
        ]


def _why(attempt: DeliveryAttempt) -> str:
    if attempt.status_code is None:
        return _("The last attempt got no answer: %(error)s") % {"error": attempt.error}
    return _("The receiver answered %(status)s: %(said)s") % {
        "status": attempt.status_code,
        "said": display.readable(attempt.response_excerpt)[:200] or _("nothing"),
    }


def _attempts_table(attempts: Sequence[DeliveryAttempt]) -> Table:
    longest = max((attempt.duration_ms for attempt in attempts), default=0)
    rows = [
        [
            number(index),
            exact(attempt.at),
            display.answer_chip(attempt),
            attempt.error or NOTHING,
            bar(attempt.duration_ms, longest, display.took(attempt)),
            code(display.readable(attempt.response_excerpt)),
        ]
        for index, attempt in enumerate(attempts[:_AT_MOST], 1)
    ]
    headers = ["#", _("at"), _("answer"), _("error"), _("took"), _("response")]
    return Table(_("Attempts"), headers, rows, _("It has not been sent yet."), numeric=frozenset({0}))


def _body(body: str) -> str:
    """Return the body readable, and without what looks like a secret."""
    try:
        return pretty(json.loads(body))
    except ValueError:
        return redact_text(body)
