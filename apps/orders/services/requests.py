"""What a client asks of an order that is there already. The venue is asked by a worker."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.conditions import Resource
from apps.core.decisions import require_conditions
from apps.core.permissions import Permission
from apps.core.scope import write_scope
from apps.orders.enums import Mode, OrderStatus, Pending
from apps.orders.errors import OrderChangePending, OrderClosed
from apps.orders.events import ORDER_CANCEL_REQUESTED
from apps.orders.models import Order
from apps.orders.rules.states import OPEN_STATES, TERMINAL_STATES
from apps.orders.services.denying import canceled_before_submission, deny
from apps.orders.services.locking import lock_order
from apps.orders.services.queueing import cancel_soon
from apps.orders.services.transitions import note


def request_cancel(
    *, order_id: UUID, reason: str = "", actor: Actor, now: datetime, expected_version: int | None = None
) -> Order:
    """Ask for an order's end; asking again changes nothing. It skips the risk gate, since it takes risk away.

    An order that has not left is denied at once; any other is pending until its venue has the last word. A `reason` is
    kept: staff give one.

    Raises:
        NotFound, ConditionFailed, VersionConflict.
        OrderClosed: it has come to its end already.
        OrderChangePending: its replacement is on its way, during which venues refuse a cancel.
    """
    with write_scope(actor):
        order = lock_open_order(order_id, expected_version, actor=actor, now=now)
        if order.pending == Pending.CANCEL:
            return order
        if order.pending == Pending.REPLACE:
            _let_go_of_replacement(order, actor, now)
        data = {"reason": reason} if reason else None
        note(order, ORDER_CANCEL_REQUESTED, actor=actor, now=now, data=data, pending=Pending.CANCEL)
        if order.status == OrderStatus.APPROVED:
            # Nobody can be sending it: that is committed as `submitting`, under the lock that is held here.
            deny(order, canceled_before_submission(), actor=actor, now=now)
        else:
            cancel_soon(order, actor=actor, now=now)
        return order


def _let_go_of_replacement(original: Order, actor: Actor, now: datetime) -> None:
    """Make way for a cancel: a replacement that has not left is denied; beside one that may be lost it stands."""
    open_ones = Order.objects.filter(replaces=original, status__in=OPEN_STATES).values_list("id", flat=True)
    for replacement in [lock_order(order_id) for order_id in open_ones]:
        if replacement.status == OrderStatus.APPROVED:
            deny(replacement, canceled_before_submission(), actor=actor, now=now)
        elif replacement.status != OrderStatus.UNKNOWN:
            message = _("It is being replaced at this moment. Cancel its replacement, or ask again in a few seconds.")
            raise OrderChangePending(message, replacement_id=str(replacement.id))
    original.refresh_from_db(fields=["pending", "version", "updated_at"])


def lock_open_order(order_id: UUID, expected_version: int | None, *, actor: Actor, now: datetime) -> Order:
    """Lock an order that the actor may change and that can still be changed, its risk account before it.

    Raises:
        NotFound, ConditionFailed, VersionConflict, OrderClosed.
    """
    order = lock_order(order_id)
    require_conditions(actor, Permission.ORDERS_WRITE, as_resource(order), now=now)
    order.require_version(expected_version)
    if order.status in TERMINAL_STATES:
        raise OrderClosed
    return order


def as_resource(order: Order) -> Resource:
    """Return a stored order as conditions see it. Ending it moves no money; what replaces it is judged by itself."""
    is_live = order.mode != Mode.PAPER
    return Resource(
        type="order",
        id=order.id,
        account_id=order.account_id,
        made_by=order.placed_by,
        amount=Decimal(0),
        is_live=is_live,
    )
