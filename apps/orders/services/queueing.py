"""Jobs that carry orders on. One of a kind per order is queued or running at a time."""

from datetime import datetime, timedelta

from apps.core.actor import Actor
from apps.jobs.services import enqueue
from apps.jobs.types import JobKind
from apps.orders.models import Order, RiskAccount
from apps.orders.types import CANCEL_ORDER, ORDER_PRIORITY, PULL_ACCOUNT, RESOLVE_ORDER

# The venue's answer may have been lost while the order is still on its way: the first look-up waits a little.
FIRST_LOOKUP_AFTER = timedelta(seconds=1)
# Executions that the venue speaks of mostly arrive by the stream before this.
PULL_AFTER = timedelta(seconds=1)


def carry_on(kind: JobKind, order: Order, *, actor: Actor, now: datetime, after: timedelta = timedelta(0)) -> None:
    """See that a job of this kind works on the order."""
    enqueue(
        kind=kind,
        payload={"order_id": str(order.id)},
        actor=actor,
        now=now,
        unique_key=str(order.id),
        run_at=now + after,
        priority=ORDER_PRIORITY,
    )


def resolve_soon(order: Order, *, actor: Actor, now: datetime) -> None:
    """Have the venue asked what became of an order."""
    carry_on(RESOLVE_ORDER, order, actor=actor, now=now, after=FIRST_LOOKUP_AFTER)


def cancel_soon(order: Order, *, actor: Actor, now: datetime) -> None:
    """Have the venue asked to cancel an order."""
    carry_on(CANCEL_ORDER, order, actor=actor, now=now)


def pull_soon(risk_account: RiskAccount, *, actor: Actor, now: datetime, after: timedelta = PULL_AFTER) -> None:
    """Have the venue asked for what happened on an account."""
    enqueue(
        kind=PULL_ACCOUNT,
        payload={"risk_account_id": str(risk_account.id)},
        actor=actor,
        now=now,
        unique_key=str(risk_account.id),
        run_at=now + after,
    )
