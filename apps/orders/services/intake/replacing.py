"""Replaces an order at its venue by another one, which goes through the gate like any order."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from apps.core.actor import Actor
from apps.core.db.statements import together
from apps.core.errors import ValidationFailed
from apps.core.scope import write_scope
from apps.orders.enums import Outcome, Pending, TimeInForce
from apps.orders.errors import AccountNotTradable, OrderChangePending, OrderNotAtVenue
from apps.orders.events import ORDER_REPLACE_REQUESTED
from apps.orders.models import Order
from apps.orders.rules.states import AT_VENUE
from apps.orders.services.intake import writing
from apps.orders.services.intake.judging import judge, new_order_of, request_for_people, require_may_place
from apps.orders.services.intake.placing import field_errors
from apps.orders.services.intake.reading import read_for
from apps.orders.services.requests import lock_open_order
from apps.orders.services.transitions import note
from apps.orders.types import REPLACE_ORDER, Clock, NewOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different; None: it stays. `quantity` is what the new order may still execute."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """An order to replace."""

    order_id: UUID
    change: Change
    expected_version: int | None = None


def replace_order(replacement: Replacement, *, actor: Actor, time: Clock, is_last_try: bool = True) -> Order:
    """Store the order that takes another one's place, and have the venue asked; a denied one leaves it alone.

    Raises:
        NotFound, ConditionFailed, VersionConflict, OrderClosed, AccountNotTradable.
        OrderChangePending: a cancel or another replacement is under way.
        OrderNotAtVenue: the venue has not confirmed it, so there is nothing to replace yet.
        ValidationFailed: `errors` names each field.
        Missing: unless it is the last try, what the gate lacks; have it refreshed outside of any transaction.
    """
    with write_scope(actor):
        old = lock_open_order(replacement.order_id, replacement.expected_version, actor=actor, now=time())
        if old.pending != Pending.NONE:
            raise OrderChangePending
        if old.status not in AT_VENUE or not old.venue_order_id:
            raise OrderNotAtVenue
        return _replace(old, _changed(old, replacement.change), actor, time(), is_last_try)


def _changed(old: Order, change: Change) -> NewOrder:
    asked = {name: value for name, value in asdict(change).items() if value is not None}
    rest = {"quantity": old.quantity - old.filled_quantity, "client_order_id": ""}
    return msgspec.structs.replace(new_order_of(old), **{**rest, **asked})


def _replace(old: Order, new: NewOrder, actor: Actor, now: datetime, is_last_try: bool) -> Order:
    found = read_for(old)
    assert found.facts is not None, "an order has its account"
    errors = field_errors(new, found.facts)
    if errors:
        raise ValidationFailed(errors=errors)
    if not found.facts.can_trade:
        raise AccountNotTradable
    snapshot, decision = judge(found, new, account_id=old.account_id, replaces=old, now=now, is_last_try=is_last_try)
    # Of the old order its lock has judged; whoever asks places the new one.
    require_may_place(snapshot, new, account_id=old.account_id, actor=actor, now=now)
    order = writing.order_of(new, decision, found, account_id=old.account_id, actor=actor, now=now)
    order.replaces = old
    record = writing.decision_of(decision, snapshot, order=order, request=request_for_people(new), actor=actor)
    rows = writing.statements_of(
        order, record, decision, shown=writing.order_json(order), actor=actor, kind=REPLACE_ORDER
    )
    together(rows).execute()
    if decision.outcome is Outcome.APPROVED:
        data = {"replacement_id": str(order.id)}
        note(old, ORDER_REPLACE_REQUESTED, actor=actor, now=now, data=data, pending=Pending.REPLACE)
    return order
