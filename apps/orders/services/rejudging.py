"""Judges an approved order again that has waited to be sent: prices, means and limits may be others by then."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.db.statements import run_in_one_trip
from apps.orders.enums import OrderType, Side, TimeInForce
from apps.orders.models import Order
from apps.orders.rules.checks import Denial
from apps.orders.rules.codes import DenialCode
from apps.orders.rules.gate import decide, stale_inputs
from apps.orders.rules.units import to_decimal
from apps.orders.services.intake import reading, writing
from apps.orders.services.intake.judging import proposal_of, request_for_people, snapshot_of
from apps.orders.services.intake.refreshing import Missing
from apps.orders.types import NewOrder


def has_waited(order: Order, now: datetime) -> bool:
    """Tell whether an approval is too old to be relied upon."""
    return now - order.created_at > timedelta(seconds=settings.APPROVAL_FRESH_SECONDS)


def judge_again(order: Order, *, actor: Actor, now: datetime) -> tuple[Denial | None, Decimal]:
    """Return why a locked order must not be sent any more, if so, and what it may cost by now; the decision is kept.

    It is judged as if it had not been placed: what it reserved, and its turn in the rate of orders, are its own.

    Raises:
        Missing: what the gate looks at has grown old; have it refreshed outside of any transaction.
    """
    new = _as_asked(order)
    means, facts = _read(order)
    if not facts.can_trade or not means.is_connected:
        reason = _("The account or its connection is not active any more.")
        return Denial(DenialCode.CONNECTION_UNUSABLE, reason), Decimal(0)
    snapshot = snapshot_of(means._replace(rate_reset_at=None), facts, now=now)
    lacking = stale_inputs(snapshot)
    if lacking:
        raise Missing(account_id=order.account_id, instrument=new.instrument, inputs=lacking)
    decision = decide(snapshot, proposal_of(new, replaces=order.replaces))
    record = writing.decision_of(decision, snapshot, order=order, request=request_for_people(new), actor=actor, now=now)
    record.save(force_insert=True)
    denial = None if decision.code is None else Denial(decision.code, decision.detail)
    return denial, to_decimal(decision.cost)


def _as_asked(order: Order) -> NewOrder:
    return NewOrder(
        instrument=order.instrument.key,
        side=Side(order.side),
        type=OrderType(order.type),
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=TimeInForce(order.time_in_force),
        client_order_id=order.client_order_id,
    )


def _read(order: Order) -> tuple[reading.Means, reading.Facts]:
    statements = reading.statements_of(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        instrument=order.instrument.key,
        client_order_id="",
        without=order.id,
    )
    means, facts = reading.Reading.of(run_in_one_trip(statements))
    assert means is not None and facts is not None, "an order has its account and its risk account"
    return means, facts
