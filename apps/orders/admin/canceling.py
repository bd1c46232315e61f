"""What is asked before orders are canceled: which they are, and what will become of each."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.admin import Table, chip, moment, two_lines
from apps.core.admin.panels import Text
from apps.orders.admin import display
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order
from apps.orders.rules.states import OPEN_STATES

_UNCERTAIN = (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN)


def chosen_orders(orders: Sequence[Any]) -> Table:
    """Return the chosen orders, told apart by more than their symbol, those that something happens to first.

    Their tenants' slugs are attached to them.
    """
    fates = list(_SENTENCES)
    rows = [
        [
            two_lines(display.words(order), order.client_order_id),
            two_lines(order.get_type_display(), order.time_in_force.upper()),
            display.filled_of(order),
            two_lines(str(order.account), order.get_mode_display()),
            chip(order.tenant_slug),
            display.standing(order),
            moment(order.created_at),
        ]
        for order in sorted(orders, key=lambda order: fates.index(_fate(order)))
    ]
    title = ngettext("%(count)s order", "%(count)s orders", len(rows)) % {"count": len(rows)}
    headers = [_("order"), _("type"), _("filled"), _("account"), _("tenant"), _("status"), _("placed")]
    return Table(title, headers, rows, empty="", numeric=frozenset({2}))


def what_a_cancel_does(orders: Sequence[Order]) -> list[Text]:
    """Return what will become of the orders, the most serious first."""
    counts = Counter(_fate(order) for order in orders)
    return [sentence(count) % {"count": count} for fate, sentence in _SENTENCES.items() if (count := counts[fate])]


def _fate(order: Order) -> str:
    if order.status not in OPEN_STATES:
        return "ended"
    if order.pending == Pending.CANCEL:
        return "asked"
    if order.pending == Pending.REPLACE:
        return "replaced"
    if order.status == OrderStatus.APPROVED:
        return "here"
    return "uncertain" if order.status in _UNCERTAIN else "there"


_SENTENCES: dict[str, Callable[[int], str]] = {
    "there": lambda count: ngettext(
        "The venue is asked to cancel what %(count)s order has left; until it answers, that can still fill.",
        "The venues are asked to cancel what %(count)s orders have left; until they answer, that can still fill.",
        count,
    ),
    "uncertain": lambda count: ngettext(
        "%(count)s order may or may not be at the venue; it is canceled as soon as the venue shows it.",
        "%(count)s orders may or may not be at their venues; each is canceled as soon as its venue shows it.",
        count,
    ),
    "here": lambda count: ngettext(
        "%(count)s order has not left yet and is denied at once.",
        "%(count)s orders have not left yet and are denied at once.",
        count,
    ),
    "asked": lambda count: ngettext(
        "%(count)s cancel was asked for before; nothing is asked again.",
        "%(count)s cancels were asked for before; nothing is asked again.",
        count,
    ),
    "replaced": lambda count: ngettext(
        "%(count)s order is being replaced and is left alone: cancel its replacement.",
        "%(count)s orders are being replaced and are left alone: cancel their replacements.",
        count,
    ),
    "ended": lambda count: ngettext(
        "%(count)s order has ended and is left alone.",
        "%(count)s orders have ended and are left alone.",
        count,
    ),
}
