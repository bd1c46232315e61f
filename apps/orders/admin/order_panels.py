"""What an order's page shows beside its timeline."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from apps.core.admin import NOTHING, Table, clock_time, link, moment, money, price, quantity, record_url, status_chip
from apps.incidents.enums import STANDING_STATES
from apps.incidents.models import Incident
from apps.orders.admin import display
from apps.orders.admin.timeline import AT_MOST
from apps.orders.models import Fill, Order


def standing_incidents(incidents: Sequence[Incident]) -> Table:
    """Return the incidents about an order that wait for somebody."""
    rows = [
        [link(record_url("incidents.incident", row.pk), row.title), moment(row.last_seen_at)]
        for row in incidents
        if row.state in STANDING_STATES
    ]
    return Table(_("Needs a person"), [_("incident"), _("last seen")], rows, empty="")


def fills_of(order: Order) -> list[Fill]:
    """Return an order's executions, the first one first."""
    return list(Fill.objects.filter(tenant_id=order.tenant_id, order=order).order_by("id")[:AT_MOST])


def fills_table(order: Order, fills: Sequence[Fill]) -> Table:
    """Return an order's executions."""
    currency = order.risk_account.currency
    rows = [
        [
            link(record_url("orders.fill", fill.pk), clock_time(fill.filled_at)),
            quantity(fill.quantity),
            price(fill.price),
            money(fill.quantity * fill.price, currency),
            money(fill.fee, currency) if fill.fee else NOTHING,
            money(fill.realized_pnl, currency, signed=True) if fill.realized_pnl else NOTHING,
            fill.venue_execution_id,
        ]
        for fill in fills
    ]
    headers = [_("time (UTC)"), _("quantity"), _("price"), _("value"), _("fee"), _("realised P&L"), _("execution")]
    return Table(_("Fills"), headers, rows, _("Nothing has been executed yet."), numeric=frozenset({1, 2, 3, 4, 5}))


def chain_of(order: Order) -> list[Order]:
    """Return the orders that replaced one another, oldest first: as many as a page can tell of."""
    orders = Order.objects.filter(tenant_id=order.tenant_id).select_related("instrument")
    before: list[Order] = []
    after: list[Order] = []
    first = last = order
    while first.replaces_id is not None and len(before) < 10:
        first = orders.get(pk=first.replaces_id)
        before.insert(0, first)
    while len(after) < 10:
        following = orders.filter(replaces=last).order_by("-id").first()
        if following is None:
            break
        last = following
        after.append(last)
    return [*before, order, *after]


def chain_table(chain: Sequence[Order], current: Order) -> Table:
    """Return the orders that replaced one another; all but the one that is shown are links."""
    rows = [
        [
            clock_time(item.created_at),
            display.words(item)
            if item.pk == current.pk
            else link(record_url("orders.order", item.pk), display.words(item)),
            display.filled_of(item),
            status_chip(item),
        ]
        for item in chain
    ]
    return Table(_("Replacements"), [_("time (UTC)"), _("order"), _("filled"), _("status")], rows, empty="")
