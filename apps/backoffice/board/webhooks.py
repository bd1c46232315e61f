"""Webhooks on the dashboard."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.backoffice.board.charts import Chart, Series, chart
from apps.backoffice.board.durations import quantile
from apps.backoffice.board.lateness import bounded, lateness
from apps.backoffice.selectors.webhooks import Webhooks
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

_SERIES = (
    Series(DeliveryStatus.SUCCEEDED, gettext_lazy("succeeded"), "ok"),
    Series(DeliveryStatus.PENDING, gettext_lazy("waiting"), "run"),
    Series(DeliveryStatus.DISCARDED, gettext_lazy("discarded"), "idle"),
    Series(DeliveryStatus.FAILED, gettext_lazy("failed"), "bad"),
)


def tiles(webhooks: Webhooks) -> list[Stat]:
    """Return the numbers of deliveries."""
    failed = webhooks.statuses.get(DeliveryStatus.FAILED, 0)
    return [
        Stat(
            _("Deliveries") + " · " + _("24 h"),
            number(sum(webhooks.statuses.values())),
            _hint(webhooks, failed),
            "bad" if failed else "ok",
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


def _hint(webhooks: Webhooks, failed: int) -> str:
    succeeded = webhooks.statuses.get(DeliveryStatus.SUCCEEDED, 0)
    if not succeeded + failed:
        return _("none has ended")
    share = percent(Decimal(succeeded) / (succeeded + failed))
    middle = quantile(webhooks.arrivals, 0.5)
    return _("%(share)s arrived, in %(time)s") % {"share": share, "time": duration(middle)}


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
            _troubles(item.failed, item.retrying),
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


def _troubles(failed: int, retrying: int) -> SafeString:
    tone: Tone = "bad" if failed else "warn"
    first = chip(_("%(count)s failed") % {"count": number(failed)}, tone) if failed else ""
    second = chip(_("%(count)s retried") % {"count": number(retrying)}, "warn") if retrying else ""
    return two_lines(first, second) if first else two_lines(second, "")


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
