"""Judges an approved order again that has waited to be sent: prices, means and limits may be others by then."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.orders.models import Order
from apps.orders.rules.checks import Denial
from apps.orders.rules.codes import DenialCode
from apps.orders.rules.units import to_decimal
from apps.orders.services.intake import writing
from apps.orders.services.intake.judging import judge, new_order_of, request_for_people
from apps.orders.services.intake.reading import Reading, read_for


def has_waited(order: Order, now: datetime) -> bool:
    """Tell whether an approval is too old to be relied upon."""
    return now - order.created_at > timedelta(seconds=settings.APPROVAL_FRESH_SECONDS)


def judge_again(order: Order, *, actor: Actor, now: datetime) -> tuple[Denial | None, Decimal]:
    """Return why a locked order must not be sent any more, if so, and what it may cost by now; the decision is kept.

    It is judged as if it had not been placed: what it reserved, and its turn in the rate of orders, are its own.

    Raises:
        Missing: what the gate looks at has grown old; have it refreshed outside of any transaction.
    """
    new, (means, facts) = new_order_of(order), read_for(order, without=order.id)
    assert means is not None and facts is not None, "an order has its account and its risk account"
    if not facts.can_trade or not means.is_connected:
        reason = _("The account or its connection is not active any more.")
        return Denial(DenialCode.CONNECTION_UNUSABLE, reason), Decimal(0)
    found = Reading(means._replace(rate_reset_at=None), facts)
    snapshot, decision = judge(
        found, new, account_id=order.account_id, replaces=order.replaces, now=now, is_last_try=False
    )
    record = writing.decision_of(decision, snapshot, order=order, request=request_for_people(new), actor=actor, now=now)
    record.save(force_insert=True)
    denial = None if decision.code is None else Denial(decision.code, decision.detail)
    return denial, to_decimal(decision.cost)
