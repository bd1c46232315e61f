"""Orders whose job is gone: discarded by hand, or dead. Nobody would ever carry them on."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from apps.core.actor import Actor
from apps.core.scope import write_scope
from apps.jobs.types import JobKind
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order
from apps.orders.services.queueing import carry_on
from apps.orders.services.routing import APPROVAL_LASTS
from apps.orders.types import CANCEL_ORDER, REPLACE_ORDER, RESOLVE_ORDER, SUBMIT_ORDER

# A job that works on an order is left to it for a while.
_PATIENCE = timedelta(seconds=15)


def see_to_stranded(orders: Iterable[Order], *, actor: Actor, now: datetime) -> None:
    """See that each of an account's open orders, as they were a moment ago, is worked on by the job that it needs.

    Where one works already nothing happens. An approval that was left lying is denied by its job, not sent.
    """
    for order in orders:
        kind = _needed(order, now)
        if kind is not None:
            with write_scope(actor):
                carry_on(kind, order, actor=actor, now=now)


def _needed(order: Order, now: datetime) -> JobKind | None:
    age = now - order.updated_at
    if order.status in (OrderStatus.APPROVED, OrderStatus.SUBMITTING):
        send = REPLACE_ORDER if order.replaces_id else SUBMIT_ORDER
        return send if age > APPROVAL_LASTS else None
    if age < _PATIENCE:
        return None
    if order.status == OrderStatus.UNKNOWN:
        return RESOLVE_ORDER
    return CANCEL_ORDER if order.pending == Pending.CANCEL else None
