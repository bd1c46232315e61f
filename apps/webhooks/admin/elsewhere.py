"""Deliveries on the pages of lower rooms: in an order's timeline, and under the event that they tell of."""

from collections.abc import Iterator, Sequence

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    Happening,
    Lane,
    Panel,
    Table,
    contributes_happenings,
    contributes_panels,
    duration,
    link,
    moment,
    number,
    record_url,
    status_chip,
)
from apps.core.admin.display import TONES
from apps.orders.models import Order
from apps.outbox.models import OutboxEvent
from apps.webhooks.admin import display
from apps.webhooks.admin.deliveries import attempts_of
from apps.webhooks.enums import DeliveryStatus
from apps.webhooks.models import Delivery, DeliveryAttempt

WEBHOOK = Lane(key="webhook", name=gettext_lazy("Webhooks"), icon="webhook")
_AT_MOST = 200


@contributes_happenings(Order)
def deliveries_of_order(order: Order) -> Iterator[Happening]:
    """Tell where an order's events went, and how that fared."""
    events = OutboxEvent.objects.filter(tenant_id=order.tenant_id, entity_id=order.pk).values("pk")
    found = Delivery.objects.filter(tenant_id=order.tenant_id, event_id__in=events)
    deliveries = list(found.select_related("endpoint").defer("body").order_by("id")[:_AT_MOST])
    attempts = attempts_of(deliveries) if deliveries else {}
    for delivery in deliveries:
        tries = attempts.get(delivery.pk, [])
        yield Happening(
            key=f"delivery-{delivery.pk}",
            at=tries[-1].at if tries else delivery.created_at,
            lane=WEBHOOK,
            title=_title(delivery),
            code=delivery.event_type,
            detail=" · ".join(_told(delivery, tries)),
            tone=TONES.get(delivery.status, "idle"),
            url=record_url("webhooks.delivery", delivery.pk),
            rank=6,
        )


def _title(delivery: Delivery) -> str:
    titles = {
        DeliveryStatus.SUCCEEDED: _("Delivered to %(where)s"),
        DeliveryStatus.PENDING: _("Waits to be delivered to %(where)s"),
        DeliveryStatus.FAILED: _("Not delivered to %(where)s"),
        DeliveryStatus.DISCARDED: _("Discarded for %(where)s"),
    }
    return titles[DeliveryStatus(delivery.status)] % {"where": display.short_url(delivery.endpoint.url)}


def _told(delivery: Delivery, tries: Sequence[DeliveryAttempt]) -> Iterator[str]:
    if tries:
        answer = str(tries[-1].status_code or tries[-1].error)
        yield _("%(answer)s in %(time)s") % {"answer": answer, "time": display.took(tries[-1])}
    if len(tries) > 1:
        yield _("attempt %(count)s") % {"count": len(tries)}
    if delivery.finished_at is not None:
        yield _("%(time)s after the relay") % {"time": duration(delivery.finished_at - delivery.created_at)}


@contributes_panels(OutboxEvent)
def deliveries_of_event(_request: HttpRequest, event: OutboxEvent) -> Sequence[Panel]:
    """Show where an event went."""
    found = Delivery.objects.filter(tenant_id=event.tenant_id, event_id=event.pk)
    deliveries = list(found.select_related("endpoint").defer("body").order_by("id")[:_AT_MOST])
    attempts = attempts_of(deliveries) if deliveries else {}
    rows = [
        [
            link(record_url("webhooks.delivery", item.pk), display.short_url(item.endpoint.url)),
            status_chip(item),
            number(len(attempts.get(item.pk, []))),
            display.last_answer(attempts.get(item.pk, [])),
            moment(item.finished_at),
        ]
        for item in deliveries
    ]
    headers = [_("endpoint"), _("status"), _("attempts"), _("last answer"), _("finished")]
    return [Table(_("Deliveries"), headers, rows, _("No endpoint has asked for it."), numeric=frozenset({2}))]
