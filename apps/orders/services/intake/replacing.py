"""Replaces an order at its venue by another one, which goes through the gate like any order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from apps.core.actor import Actor
from apps.core.db.statements import run_in_one_trip, together
from apps.core.errors import ValidationFailed
from apps.core.scope import write_scope
from apps.orders.enums import OrderType, Outcome, Pending, Side, TimeInForce
from apps.orders.errors import AccountNotTradable, OrderChangePending, OrderNotAtVenue
from apps.orders.events import ORDER_REPLACE_REQUESTED
from apps.orders.models import Order
from apps.orders.rules.gate import decide, stale_inputs
from apps.orders.rules.states import AT_VENUE
from apps.orders.services.intake import reading, writing
from apps.orders.services.intake.judging import proposal_of, request_for_people, snapshot_of
from apps.orders.services.intake.placing import field_errors
from apps.orders.services.intake.reading import Reading
from apps.orders.services.intake.refreshing import Missing
from apps.orders.services.requests import lock_open_order
from apps.orders.services.transitions import note
from apps.orders.types import REPLACE_ORDER, NewOrder


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


def replace_order(
    replacement: Replacement, *, actor: Actor, time: Callable[[], datetime], is_last_try: bool = True
) -> Order:
    """Store the order that takes another one's place, and have the venue asked; a denied one leaves it alone.

    Raises:
        NotFound, VersionConflict, OrderClosed, AccountNotTradable.
        OrderChangePending: a cancel or another replacement is under way.
        OrderNotAtVenue: the venue has not confirmed it, so there is nothing to replace yet.
        ValidationFailed: `errors` names each field.
        Missing: unless it is the last try, what the gate lacks; have it refreshed outside of any transaction.
    """
    with write_scope(actor):
        old = lock_open_order(replacement.order_id, replacement.expected_version)
        if old.pending != Pending.NONE:
            raise OrderChangePending
        if old.status not in AT_VENUE or not old.venue_order_id:
            raise OrderNotAtVenue
        return _replace(old, _changed(old, replacement.change), actor, time(), is_last_try=is_last_try)


def _changed(old: Order, change: Change) -> NewOrder:
    remaining = old.quantity - old.filled_quantity
    return NewOrder(
        instrument=old.instrument.key,
        side=Side(old.side),
        type=OrderType(old.type),
        quantity=remaining if change.quantity is None else change.quantity,
        limit_price=old.limit_price if change.limit_price is None else change.limit_price,
        stop_price=old.stop_price if change.stop_price is None else change.stop_price,
        time_in_force=change.time_in_force or TimeInForce(old.time_in_force),
    )


def _replace(old: Order, new: NewOrder, actor: Actor, now: datetime, *, is_last_try: bool) -> Order:
    means, facts = _read(old)
    errors = field_errors(new, facts)
    if errors:
        raise ValidationFailed(errors=errors)
    if not facts.can_trade:
        raise AccountNotTradable
    snapshot = snapshot_of(means, facts, now=now)
    lacking = stale_inputs(snapshot)
    if lacking and not is_last_try:
        raise Missing(account_id=old.account_id, instrument=new.instrument, inputs=lacking)
    decision = decide(snapshot, proposal_of(new, replaces=old))
    order = writing.order_of(
        new, decision, account_id=old.account_id, means=means, facts=facts, tenant_id=old.tenant_id, now=now
    )
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


def _read(old: Order) -> tuple[reading.Means, reading.Facts]:
    statements = reading.statements_of(
        tenant_id=old.tenant_id, account_id=old.account_id, instrument=old.instrument.key, client_order_id=""
    )
    means, facts = Reading.of(run_in_one_trip(statements))
    assert means is not None and facts is not None, "an order has its account and its risk account"
    return means, facts
