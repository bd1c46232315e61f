"""Brings an order, by the edges of the state table, to where the venue has it."""

from datetime import datetime
from typing import Any

from apps.core.actor import Actor
from apps.orders.enums import OrderStatus as S
from apps.orders.enums import Pending
from apps.orders.models import Order
from apps.orders.rules.states import BEFORE_VENUE, may_follow
from apps.orders.services.queueing import cancel_soon
from apps.orders.services.transitions import transition


def walk(order: Order, to: S, *, actor: Actor, now: datetime, **columns: Any) -> None:
    """Bring a locked order to a state that the venue shows, over the states between.

    A state that the order has passed is not gone back to. `columns` change with the last step.
    """
    steps = _steps(S(order.status), to)
    is_new_at_venue = order.status in BEFORE_VENUE
    for step in steps:
        transition(order, step, actor=actor, now=now, **(columns if step is to else {}))
    if steps and is_new_at_venue and order.pending == Pending.CANCEL:
        # It was asked for while there was nothing at the venue to cancel; an end would have ended the wish.
        cancel_soon(order, actor=actor, now=now)


def bring_to_venue(order: Order, venue_order_id: str, *, actor: Actor, now: datetime) -> None:
    """Note of an order that was not known to be at the venue that it is."""
    if order.status in BEFORE_VENUE:
        walk(order, S.ACCEPTED, actor=actor, now=now, venue_order_id=venue_order_id)


def _steps(at: S, to: S) -> list[S]:
    """Return the states to go through: the venue's word on an order outranks how far we thought it was."""
    if at is S.APPROVED:
        return [S.SUBMITTING, *_steps(S.SUBMITTING, to)]
    if may_follow(at, to):
        return [to]
    if at is S.SUBMITTING and may_follow(S.ACCEPTED, to):
        return [S.ACCEPTED, to]
    return []
