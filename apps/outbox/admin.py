"""Events, as staff see them: read-only."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    NOTHING,
    Panel,
    Source,
    StaffModelAdmin,
    Stat,
    TenantFilter,
    TimeFilter,
    about_url,
    chip,
    column,
    duration,
    moment,
    named_in,
    number,
    one_of,
    pretty,
    request_url,
    target_link,
    target_links,
)
from apps.outbox.models import OutboxEvent

RELAY_FILTER = one_of(
    "relay",
    gettext_lazy("relay"),
    {
        "waiting": (gettext_lazy("Waiting"), Q(sequence=None)),
        "done": (gettext_lazy("Relayed"), Q(sequence__isnull=False)),
    },
)


@admin.register(OutboxEvent)
class OutboxEventAdmin(StaffModelAdmin):
    plural = gettext_lazy("events")
    list_display = ("event", "tenant", "sequence", "relay", "entity", "by", "occurred")
    list_filter = (TenantFilter, TimeFilter, RELAY_FILTER)
    search_fields = ("type__startswith", "request_id__exact")
    search_ids = ("id", "entity_id", "request_id")
    search_help_text = gettext_lazy("Beginning of a type, request id, or an id")
    empty_hint = gettext_lazy("Every change that clients may want to know of leaves an event.")
    facts = (
        (gettext_lazy("Event"), ("type", "entity", "schema_version", "position", "id")),
        (gettext_lazy("Origin"), ("by", "request_id", "traceparent")),
    )

    @column(gettext_lazy("event"))
    def event(self, event: OutboxEvent) -> str:
        return event.type

    @column(gettext_lazy("relay"))
    def relay(self, event: OutboxEvent) -> str:
        return chip(_("relayed"), "ok") if event.sequence is not None else chip(_("waiting"), "info")

    @column(gettext_lazy("entity"))
    def entity(self, event: OutboxEvent) -> str:
        return target_link(event.entity_type, event.entity_id)

    @column(gettext_lazy("by"))
    def by(self, event: OutboxEvent) -> str:
        return str(event.actor.get("label", "")) or NOTHING

    @column(gettext_lazy("occurred"))
    def occurred(self, event: OutboxEvent) -> str:
        return moment(event.occurred_at)

    def headline(self, event: OutboxEvent) -> str:
        return event.type

    def status(self, event: OutboxEvent) -> str:
        return self.relay(event)

    def stats(self, event: OutboxEvent) -> Sequence[Stat]:
        lag = None if event.relayed_at is None else event.relayed_at - event.occurred_at
        return (
            Stat(_("Sequence in its tenant"), number(event.sequence)),
            Stat(_("Occurred"), moment(event.occurred_at)),
            Stat(_("Relayed after"), duration(lag)),
        )

    def panels(self, request: HttpRequest, event: OutboxEvent) -> Sequence[Panel]:
        return [Source(_("Data"), pretty(event.data)), Source(_("Actor"), pretty(event.actor))]

    def related_links(self, event: OutboxEvent) -> Sequence[tuple[str, str]]:
        links = [
            *target_links([(event.entity_type, event.entity_id), *named_in(event.data), *named_in(event.actor)]),
            (_("Events of this entity"), about_url("outbox.outboxevent", event, event.entity_id)),
            (_("Audit log of this entity"), about_url("audit.auditentry", event, event.entity_id)),
        ]
        if event.request_id:
            links.append((_("Everything of this request"), request_url(event.request_id, event.occurred_at)))
        return links
