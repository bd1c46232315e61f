"""Takes over what the venue says of an order, from whichever side it comes: an answer, a look-up, the stream, a pull.

The same word twice, a word that is out of date or out of order changes nothing. A state is taken over once the
executions that belong to it are stored: until then the account is pulled.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.scope import write_scope
from apps.incidents import services as incidents
from apps.incidents.enums import Severity
from apps.orders import events
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order
from apps.orders.rules.states import BEFORE_VENUE, OPEN_STATES, TERMINAL_STATES
from apps.orders.services.fills import record_fill
from apps.orders.services.locking import lock_order
from apps.orders.services.queueing import pull_soon
from apps.orders.services.replacing import let_original_go
from apps.orders.services.transitions import note
from apps.orders.services.walking import bring_to_venue, walk
from apps.providers.trading import FillData, TradeUpdate, VenueOrder

FOUND_AFTER_LOST = "order.found_after_lost"
REJECTED_BY_VENUE = "rejected_by_venue"

_REFUSALS = {
    "order_cancel_rejected": (Pending.CANCEL, events.ORDER_CANCEL_REFUSED),
    "order_replace_rejected": (Pending.REPLACE, events.ORDER_REPLACE_REFUSED),
}


def find_order(risk_account_id: UUID, *, venue_order_id: str, client_order_id: str) -> UUID | None:
    """Return which of the account's orders the venue means; None: none of ours. Call it in the tenant's scope."""
    ours = Order.objects.filter(risk_account_id=risk_account_id).filter(
        Q(venue_order_id=venue_order_id) | Q(client_order_id=client_order_id, venue_order_id="")
    )
    return ours.values_list("id", flat=True).first()


def take_trade_update(*, risk_account_id: UUID, update: TradeUpdate, actor: Actor, now: datetime) -> Order | None:
    """Take over one message of the stream; None: the order is not ours."""
    with write_scope(actor):
        told = update.order
        order_id = find_order(risk_account_id, venue_order_id=told.venue_order_id, client_order_id=told.client_order_id)
        if order_id is None:
            return None
        order = lock_order(order_id)
        take_venue_order(order, told, fills=[update.fill] if update.fill else [], actor=actor, now=now)
        if update.event in _REFUSALS:
            _take_refusal(order, *_REFUSALS[update.event], told.reason, actor=actor, now=now)
        return order


def take_venue_order(
    order: Order, told: VenueOrder, *, fills: Iterable[FillData] = (), actor: Actor, now: datetime
) -> None:
    """Take over what the venue says of a locked order, after the executions that came along."""
    for fill in fills:
        record_fill(order, fill, actor=actor, now=now)
    if order.status == OrderStatus.LOST:
        _wonder(order, told, actor, now)
    if order.status in TERMINAL_STATES:
        return
    to = OrderStatus(told.status)
    if told.filled_quantity > order.filled_quantity:
        bring_to_venue(order, told.venue_order_id, actor=actor, now=now)
        pull_soon(order.risk_account, actor=actor, now=now)
    elif _is_news(order, told, to):
        columns: dict[str, Any] = {"venue_updated_at": told.updated_at}
        if order.status in BEFORE_VENUE:
            columns["venue_order_id"] = told.venue_order_id
        if to is OrderStatus.REJECTED:
            columns |= {"denial_code": REJECTED_BY_VENUE, "denial_detail": told.reason[:500]}
        walk(order, to, actor=actor, now=now, **columns)
        if to is OrderStatus.REJECTED:
            let_original_go(order, told.reason, actor=actor, now=now)


def _is_news(order: Order, told: VenueOrder, to: OrderStatus) -> bool:
    """Tell whether a word is worth taking over: fills make an order filled, and an open state must not be stale."""
    is_older = order.venue_updated_at is not None and told.updated_at < order.venue_updated_at
    is_stale = is_older or told.filled_quantity < order.filled_quantity
    if to is OrderStatus.PARTIALLY_FILLED:
        # Without a fill it only says that another day has begun.
        return order.status == OrderStatus.DONE_FOR_DAY and not is_stale
    return to is not OrderStatus.FILLED and (to not in OPEN_STATES or not is_stale)


def _take_refusal(order: Order, wish: Pending, event: str, reason: str, *, actor: Actor, now: datetime) -> None:
    if order.pending == wish:
        note(order, event, actor=actor, now=now, data={"reason": reason}, pending=Pending.NONE)


def _wonder(order: Order, told: VenueOrder, actor: Actor, now: datetime) -> None:
    incidents.open_incident(
        kind=FOUND_AFTER_LOST,
        key=str(order.id),
        title=_("%(order)s was declared lost, and the venue has it") % {"order": order},
        severity=Severity.CRITICAL,
        target_type="order",
        target_id=order.id,
        detail={"venue_order_id": told.venue_order_id, "venue_status": told.venue_status},
        actor=actor,
        now=now,
    )
