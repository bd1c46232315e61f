"""Takes an approved order to its venue, from the lease to the settled job.

While the line is held (docs/adr/0008-kill-switch.md) no kill switch can be engaged: it is looked at, `submitting` is
committed and the order sent, all under the lock. An order that is found `submitting` was left by a worker that died:
the venue is asked for it before anything else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.money import plain
from apps.core.scope import tenant_scope, write_scope
from apps.jobs.errors import LeaseLost, RetryLater
from apps.jobs.services import settle
from apps.jobs.types import Lease
from apps.orders import events
from apps.orders.enums import OrderStatus, Pending
from apps.orders.errors import AccountNotTradable
from apps.orders.models import Order, OrderEvent
from apps.orders.rules.checks import Denial, stopped
from apps.orders.rules.codes import DenialCode
from apps.orders.rules.states import OPEN_STATES
from apps.orders.services.alarms import ANOTHER_ORDER, call_a_person
from apps.orders.services.denying import canceled_before_submission, deny
from apps.orders.services.intake.refreshing import Missing, with_fresh_inputs
from apps.orders.services.locking import lock_order
from apps.orders.services.originals import let_original_go
from apps.orders.services.queueing import resolve_soon
from apps.orders.services.rejudging import has_waited, judge_again
from apps.orders.services.sending import (
    DUPLICATE,
    Answer,
    Doubtful,
    NotCarriedOut,
    NotYet,
    Refused,
    Shown,
    look_up,
    pause_after,
    send,
)
from apps.orders.services.switches import engaged_switches, holding_the_line
from apps.orders.services.transitions import transition
from apps.orders.services.updates import take_venue_order
from apps.orders.types import Clock
from apps.providers.errors import ProviderError
from apps.providers.protocols import BrokerageAdapter
from apps.providers.registry import brokerage_for

APPROVAL_LASTS = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Claim:
    """An order that is `submitting`. `was_left`: by another worker; `denial`: why it must not be sent any more.

    `original_id` is the venue's id of the order that it replaces.
    """

    order: Order
    was_left: bool
    denial: Denial | None
    original_id: str


def route_order(order_id: UUID, *, lease: Lease, clock: Clock) -> None:
    """Send an order to its venue, or find out that it is there; then settle the lease.

    One that has waited is judged again. What the gate lacks for that is fetched while nothing is held.

    Raises:
        RetryLater: nothing was carried out, or the venue could not be asked.
    """
    try:
        with_fresh_inputs(lambda _is_last_try: _route(order_id, lease, clock), actor=lease.actor, time=clock)
    except Missing as missing:
        reason = _("What the risk gate looks at cannot be refreshed.")
        raise RetryLater(pause_after(lease.attempt), reason) from missing
    except AccountNotTradable as error:
        _give_up(order_id, Denial(DenialCode.CONNECTION_UNUSABLE, str(error.message)), lease, clock())


def _route(order_id: UUID, lease: Lease, clock: Clock) -> None:
    with tenant_scope(lease.tenant_id):
        order = Order.objects.select_related("risk_account__connection").get(id=order_id)
        venue = _open(order)
    if isinstance(venue, Denial):
        _give_up(order_id, venue, lease, clock())
        return
    with venue:
        with holding_the_line(order.tenant_id, order.risk_account.account_id):
            claim = _claim(order_id, lease, clock())
            answer = _put_to_venue(venue, claim, lease) if claim else None
        _conclude(order_id, answer, lease, clock())


def _give_up(order_id: UUID, denial: Denial, lease: Lease, now: datetime) -> None:
    with write_scope(lease.actor):
        abandon(order_id, denial, actor=lease.actor, now=now)
        settle(lease, now=now)


def abandon(order_id: UUID, denial: Denial, *, actor: Actor, now: datetime) -> None:
    """Stop trying to send an order: without a guess, it is denied if it never left and unknown if it may have."""
    with write_scope(actor):
        order = lock_order(order_id)
        if order.status == OrderStatus.APPROVED:
            deny(order, denial, actor=actor, now=now)
        elif order.status == OrderStatus.SUBMITTING:
            _make_unknown(order, denial.detail, actor=actor, now=now)


def _open(order: Order) -> BrokerageAdapter | Denial:
    try:
        return brokerage_for(order.risk_account.connection)
    except ProviderError as error:
        return Denial(DenialCode.CONNECTION_UNUSABLE, f"{error.message} ({error.code})")


def _claim(order_id: UUID, lease: Lease, now: datetime) -> Claim | None:
    """Commit that an approved order is being sent, or deny it; None: there is nothing to send."""
    actor = lease.actor
    with write_scope(actor):
        order = lock_order(order_id)
        _require_lease(lease)  # what is `submitting` may have been sent: nobody else could tell that it was not
        if order.status not in (OrderStatus.APPROVED, OrderStatus.SUBMITTING):
            return None
        was_left, denial, cost = order.status == OrderStatus.SUBMITTING, _why_not(order, now), order.reserved
        if denial is None and has_waited(order, now):
            denial, cost = judge_again(order, actor=actor, now=now)
        if denial and not was_left:
            deny(order, denial, actor=actor, now=now)
            return None
        if not was_left:
            transition(order, OrderStatus.SUBMITTING, actor=actor, now=now, reserved=cost)
        original = order.replaces
        return Claim(order, was_left, denial, original.venue_order_id if original else "")


def _why_not(order: Order, now: datetime) -> Denial | None:
    if order.pending == Pending.CANCEL:
        return canceled_before_submission()
    engaged = engaged_switches(account_id=order.risk_account.account_id)
    if engaged:
        return stopped(engaged)
    if now - order.created_at > APPROVAL_LASTS:
        return Denial(DenialCode.APPROVAL_EXPIRED, _("It could not be sent within five minutes of its approval."))
    return _why_not_in_its_place(order, order.replaces) if order.replaces else None


def _why_not_in_its_place(order: Order, original: Order) -> Denial | None:
    """Say what has become of the original: what it has executed since, its replacement would execute once more."""
    if original.status not in OPEN_STATES or not original.venue_order_id:
        return Denial(DenialCode.ORIGINAL_CLOSED, _("The order that it was to replace is no longer open."))
    asked = OrderEvent.objects.filter(order=original, type=events.ORDER_REPLACE_REQUESTED).order_by("-sequence")
    filled = asked.values_list("data__filled_quantity", flat=True).first()
    if order.status == OrderStatus.APPROVED and filled != plain(original.filled_quantity):
        reason = _("The order that it was to replace has been executed further. Look at what is left, and ask again.")
        return Denial(DenialCode.ORIGINAL_EXECUTED, reason)
    return None


def _require_lease(lease: Lease) -> None:
    if lease.lost:
        raise LeaseLost(f"job {lease.job_id} is no longer leased to this worker")


def _put_to_venue(venue: BrokerageAdapter, claim: Claim, lease: Lease) -> Answer:
    _require_lease(lease)
    order = claim.order
    if claim.was_left:
        found = look_up(venue, order, attempt=lease.attempt)
        if found is not None:
            return found
        if claim.denial and claim.denial.code is DenialCode.OUTCOME_UNKNOWN:
            # It may be sent once the other's outcome is known; given up for unknown, it would be one more that blocks.
            return NotYet(pause_after(lease.attempt), claim.denial.detail)
        if claim.denial:
            # It must not be sent, and that the venue does not know it (yet) is no proof that it never will.
            return Doubtful(claim.denial.detail)

    return send(venue, order, replaces=claim.original_id, attempt=lease.attempt)


def _conclude(order_id: UUID, answer: Answer | None, lease: Lease, now: datetime) -> None:
    """Store what the answer proves, and settle the lease unless it is to be tried again."""
    if isinstance(answer, NotYet):
        raise RetryLater(answer.seconds, answer.reason)
    with write_scope(lease.actor):
        if answer is not None:
            _store(lock_order(order_id), answer, lease.actor, now)
        if not isinstance(answer, NotCarriedOut):
            settle(lease, now=now)
    if isinstance(answer, NotCarriedOut):
        raise RetryLater(answer.seconds, answer.reason)


def _store(order: Order, answer: Answer, actor: Actor, now: datetime) -> None:
    if isinstance(answer, Shown) and take_venue_order(order, answer.order, actor=actor, now=now):
        return
    if order.status != OrderStatus.SUBMITTING:
        return  # the stream was quicker, and the venue's word outranks a failed call
    match answer:
        case Refused(code, detail):
            reason = f"{detail} ({code})"[:500]
            columns: dict[str, Any] = {"denial_code": DenialCode.REJECTED_BY_VENUE, "denial_detail": reason}
            transition(order, OrderStatus.REJECTED, actor=actor, now=now, **columns)
            let_original_go(order, detail, actor=actor, now=now)
            if code == DUPLICATE:
                title = _("The venue has another order under the id of %(order)s")
                call_a_person(ANOTHER_ORDER, order, title, {"difference": detail}, actor=actor, now=now)
        case NotCarriedOut(_seconds, reason):
            event, data = events.ORDER_SUBMISSION_DEFERRED, {"reason": reason}
            transition(order, OrderStatus.APPROVED, actor=actor, now=now, event=event, data=data)
        case Doubtful(reason):
            _make_unknown(order, reason, actor=actor, now=now)
        case Shown():
            _make_unknown(order, _("The venue shows another order under its id."), actor=actor, now=now)


def _make_unknown(order: Order, reason: str, *, actor: Actor, now: datetime) -> None:
    """Note that nobody knows what became of a locked order that was being sent, and have it looked up."""
    transition(order, OrderStatus.UNKNOWN, actor=actor, now=now, data={"reason": reason})
    resolve_soon(order, actor=actor, now=now)
