"""What people read for the values of the room, as the choices of its models."""

from collections.abc import Mapping
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.orders.enums import Mode, OrderStatus, OrderType, Outcome, Pending, Side, TimeInForce

LABELS: Mapping[type[StrEnum], Mapping[StrEnum, Promise]] = {
    Side: {Side.BUY: _("Buy"), Side.SELL: _("Sell")},
    OrderType: {
        OrderType.MARKET: _("Market"),
        OrderType.LIMIT: _("Limit"),
        OrderType.STOP: _("Stop"),
        OrderType.STOP_LIMIT: _("Stop limit"),
    },
    TimeInForce: {
        TimeInForce.DAY: _("Day"),
        TimeInForce.GTC: _("Until canceled"),
        TimeInForce.IOC: _("Immediate or cancel"),
        TimeInForce.FOK: _("Fill or kill"),
    },
    Mode: {Mode.PAPER: _("Paper"), Mode.LIVE: _("Live")},
    OrderStatus: {
        OrderStatus.DRAFT: _("Draft"),
        OrderStatus.DENIED: _("Denied"),
        OrderStatus.APPROVED: _("Approved"),
        OrderStatus.SUBMITTING: _("Submitting"),
        OrderStatus.UNKNOWN: _("Outcome unknown"),
        OrderStatus.LOST: _("Lost"),
        OrderStatus.ACCEPTED: _("Accepted"),
        OrderStatus.HELD: _("Held"),
        OrderStatus.PARTIALLY_FILLED: _("Partly filled"),
        OrderStatus.FILLED: _("Filled"),
        OrderStatus.CANCELED: _("Canceled"),
        OrderStatus.EXPIRED: _("Expired"),
        OrderStatus.REPLACED: _("Replaced"),
        OrderStatus.DONE_FOR_DAY: _("Done for the day"),
        OrderStatus.REJECTED: _("Rejected"),
    },
    Pending: {Pending.NONE: _("None"), Pending.CANCEL: _("Cancel asked"), Pending.REPLACE: _("Replace asked")},
    Outcome: {Outcome.APPROVED: _("Approved"), Outcome.DENIED: _("Denied")},
}


def choices_of(values: type[StrEnum]) -> list[tuple[str, Promise]]:
    """Return each value with its label, in the order of the enum."""
    return [(value.value, LABELS[values][value]) for value in values]
