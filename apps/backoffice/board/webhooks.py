"""Webhooks on the dashboard."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.backoffice.board.charts import Chart, Series, chart
from apps.backoffice.board.durations import quantile
from apps.backoffice.board.lateness import bounded, lateness
from apps.backoffice.selectors.webhooks import FailingEndpoint, Webhooks
from apps.core.admin import (
    Stat,
    Table,
    changelist_url,
    chip,
    duration,
    link,
    moment,
    number,
    percent,
    record_url,
    two_lines,
)
from apps.core.admin.panels import Tone
from apps.webhooks.admin import display
from apps.webhooks.enums import DeliveryStatus
from apps.webhooks.selectors.records import IN_A_ROW

_SERIES = (
    Series(DeliveryStatus.SUCCEEDED, gettext_lazy("succeeded"), "ok"),
    Series(DeliveryStatus.PENDING, gettext_lazy("waiting"), "run"),
    Series(DeliveryStatus.DISCARDED, gettext_lazy("discarded"), "idle"),
    Series(DeliveryStatus.FAILED, gettext_lazy("failed"), "bad"),
)


def tiles(webhooks: Webhooks) -> list[Stat]:
    """Return the numbers of deliveries."""
    return [
        Stat(
            _("Deliveries") + " · " + _("24 h"),
            number(sum(webhooks.statuses.values())),
            _hint(webhooks),
            _tone(webhooks),
            changelist_url("webhooks.delivery"),
        ),
        Stat(
            _("Deliveries waiting"),
            bounded(webhooks.pending),
            _("%(due)s due, oldest %(age)s") % {"due": bounded(webhooks.due), "age": duration(webhooks.oldest_due)}
            if webhooks.due
            else _("none is due"),
            lateness(webhooks.oldest_due) if webhooks.due else "ok",
            changelist_url("webhooks.delivery", status__exact="pending"),
        ),
    ]


def _hint(webhooks: Webhooks) -> str:
    attempts = webhooks.attempts
    if attempts.share is None:
        return _("nothing was sent")
    told = {"share": percent(attempts.share), "count": number(attempts.delivered + attempts.failed)}
    text = _("%(share)s of %(count)s attempts arrived") % told
    middle = quantile(webhooks.arrivals, 0.5)
    return text if middle is None else _("%(text)s, in %(time)s") % {"text": text, "time": duration(middle)}


def _tone(webhooks: Webhooks) -> Tone:
    """Bad where something was given up, or nothing gets through to an endpoint; a failure alone is tried again."""
    if webhooks.statuses.get(DeliveryStatus.FAILED) or any(item.in_a_row >= IN_A_ROW for item in webhooks.failing):
        return "bad"
    return "warn" if webhooks.attempts.failed else "ok"


def chart_of(webhooks: Webhooks) -> Chart:
    """Return the day's deliveries by what became of them."""
    empty = _("No delivery in the last 24 hours. Clients ask for events through POST /api/v1/webhooks/endpoints.")
    return chart(_("Deliveries by hour"), _SERIES, webhooks.hours, empty=empty)


def endpoints(webhooks: Webhooks, tenants: Mapping[UUID, str]) -> Table:
    """Return the endpoints that do not take what they asked for."""
    rows = [
        [
            link(record_url("webhooks.endpoint", item.endpoint.pk), _named(item.endpoint.url)),
            chip(tenants.get(item.endpoint.tenant_id, "")),
            _troubles(item),
        ]
        for item in webhooks.failing
    ]
    empty = (
        _("Every endpoint takes what it asked for.") if webhooks.endpoints else _("No client has asked for events yet.")
    )
    return Table(
        _("Failing endpoints"),
        [_("endpoint"), _("tenant"), _("deliveries")],
        rows,
        empty,
        more_url=changelist_url("webhooks.endpoint"),
        more_label=_("All endpoints"),
    )


def _named(url: str) -> str:
    return display.short_url(url)[:34]


def _troubles(item: FailingEndpoint) -> SafeString:
    tone: Tone = "bad" if item.in_a_row >= IN_A_ROW else "warn"
    chips = [
        chip(_("%(count)s failed") % {"count": number(item.failed)}, "bad") if item.failed else "",
        chip(_("%(count)s retried") % {"count": number(item.retrying)}, tone) if item.retrying else "",
    ]
    row = _("%(count)s in a row") % {"count": number(item.in_a_row)} if item.in_a_row > 1 else ""
    return two_lines(format_html_join(" ", "{}", ((one,) for one in chips if one)), row)


def attention(webhooks: Webhooks) -> Sequence[Sequence[SafeString]]:
    """Return the endpoints that the platform has disabled."""
    return [
        [
            chip(_("endpoint disabled"), "warn"),
            link(record_url("webhooks.endpoint", item.pk), _named(item.url)),
            moment(item.updated_at),
        ]
        for item in webhooks.disabled
    ]
