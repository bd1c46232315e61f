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
from apps.orders import events
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order
from apps.orders.rules.codes import DenialCode
from apps.orders.rules.states import BEFORE_VENUE, OPEN_STATES, TERMINAL_STATES
from apps.orders.services.alarms import ANOTHER_ORDER, FOUND_AFTER_LOST, call_a_person
from apps.orders.services.fills import record_fill
from apps.orders.services.locking import lock_order
from apps.orders.services.originals import let_original_go
from apps.orders.services.queueing import pull_soon
from apps.orders.services.recognition import difference
from apps.orders.services.transitions import note
from apps.orders.services.walking import bring_to_venue, walk
from apps.providers.trading import FillData, TradeUpdate, VenueOrder

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
    """Take over one message of the stream; None: the order is none of ours."""
    with write_scope(actor):
        told = update.order
        order_id = find_order(risk_account_id, venue_order_id=told.venue_order_id, client_order_id=told.client_order_id)
        if order_id is None:
            return None
        order = lock_order(order_id)
        if not take_venue_order(order, told, fills=[update.fill] if update.fill else [], actor=actor, now=now):
            return None
        if update.event in _REFUSALS:
            _take_refusal(order, *_REFUSALS[update.event], told.reason, actor=actor, now=now)
        return order


def take_venue_order(
    order: Order, told: VenueOrder, *, fills: Iterable[FillData] = (), actor: Actor, now: datetime
) -> bool:
    """Take over what the venue says of a locked order, after the executions that came along.

    An order that is known by our id alone has to be the one that was sent: another one is not taken over, an incident
    asks a person, and False is returned.
    """
    another = "" if order.venue_order_id else difference(order, told)
    if another:
        title, detail = _("The venue has another order under the id of %(order)s"), {"difference": another}
        _call(ANOTHER_ORDER, order, told, title, detail, actor, now)
        return False
    for fill in fills:
        record_fill(order, fill, actor=actor, now=now)
    if order.status == OrderStatus.LOST:
        _call(FOUND_AFTER_LOST, order, told, _("%(order)s was declared lost, and the venue has it"), {}, actor, now)
    if order.status not in TERMINAL_STATES:
        _take_state(order, told, actor, now)
    return True


def _take_state(order: Order, told: VenueOrder, actor: Actor, now: datetime) -> None:
    to = OrderStatus(told.status)
    if told.filled_quantity > order.filled_quantity:
        bring_to_venue(order, told.venue_order_id, actor=actor, now=now)
        pull_soon(order.risk_account, actor=actor, now=now)
    elif _is_news(order, told, to):
        columns: dict[str, Any] = {"venue_updated_at": told.updated_at}
        if order.status in BEFORE_VENUE:
            columns["venue_order_id"] = told.venue_order_id
        reason = _why_rejected(order, told) if to is OrderStatus.REJECTED else ""
        if reason:
            columns |= {"denial_code": DenialCode.REJECTED_BY_VENUE, "denial_detail": reason}
        walk(order, to, actor=actor, now=now, **columns)
        if reason:
            let_original_go(order, reason, actor=actor, now=now)


def _why_rejected(order: Order, told: VenueOrder) -> str:
    """Return the venue's reason; of a replacement without one it is mostly that its original was executed first."""
    original = order.replaces
    if told.reason or original is None:
        return told.reason[:500] or _("The venue gives no reason.")
    if original.status in TERMINAL_STATES:
        return _("The order that it was to replace came to its end first: %s.") % str(original.status)
    return _("The venue gives no reason. The order that it was to replace may have come to its end first.")


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


def _call(
    kind: str, order: Order, told: VenueOrder, title: str, detail: dict[str, str], actor: Actor, now: datetime
) -> None:
    shown = {"venue_order_id": told.venue_order_id, "venue_status": told.venue_status, **detail}
    call_a_person(kind, order, title, shown, actor=actor, now=now)
