"""Finds out what became of an order whose outcome is not known: by the venue's word, or at last by a person's."""

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.errors import ValidationFailed
from apps.core.scope import tenant_scope, write_scope
from apps.incidents import services as incidents
from apps.jobs.errors import RetryLater
from apps.jobs.services import settle
from apps.jobs.types import Lease
from apps.orders.enums import OrderStatus
from apps.orders.errors import OrderOutcomeKnown, OrderStillSought
from apps.orders.models import Order
from apps.orders.services.alarms import OUTCOME_UNKNOWN, call_a_person
from apps.orders.services.locking import lock_order
from apps.orders.services.originals import let_original_go
from apps.orders.services.sending import NotYet, Shown, look_up
from apps.orders.services.transitions import transition
from apps.orders.services.updates import take_venue_order
from apps.orders.types import Clock
from apps.providers.errors import ProviderError
from apps.providers.registry import brokerage_for

# After so many look-ups that found nothing a person may declare an order lost.
LOOKUPS_BEFORE_LOST = 5
_LONGEST_PAUSE_SECONDS = 300
_REASON_LENGTH = 500


def resolve_order(order_id: UUID, *, lease: Lease, clock: Clock) -> None:
    """Look an unknown order up once, by our id; settle the lease when its outcome is known.

    Raises:
        RetryLater: it is not, yet.
    """
    with tenant_scope(lease.tenant_id):
        order = Order.objects.select_related("risk_account__connection").get(id=order_id)
    found = _ask(order, lease) if order.status == OrderStatus.UNKNOWN else None
    lookups = _take_answer(order_id, found, lease, clock())
    if lookups is not None:
        raise RetryLater(min(2**lookups, _LONGEST_PAUSE_SECONDS), _("The venue does not know the order."))


def declare_lost(*, order_id: UUID, reason: str, actor: Actor, now: datetime) -> Order:
    """Give an order up for lost upon a person's word: the venue was asked often enough and does not know it.

    The account may then take new risk. Should the venue ever show the order, an incident says so.

    Raises:
        NotFound, ValidationFailed (no reason), OrderOutcomeKnown, OrderStillSought.
    """
    with write_scope(actor):
        order = lock_order(order_id)
        if not reason.strip():
            message = _("Say what makes you sure.")
            raise ValidationFailed(errors=[{"field": "reason", "code": "required", "message": message}])
        if order.status != OrderStatus.UNKNOWN:
            raise OrderOutcomeKnown
        if order.lookups < LOOKUPS_BEFORE_LOST:
            raise OrderStillSought
        data = {"reason": reason.strip()[:_REASON_LENGTH], "lookups": order.lookups}
        transition(order, OrderStatus.LOST, actor=actor, now=now, data=data)
        let_original_go(order, reason, actor=actor, now=now)
        incidents.resolve_incident(kind=OUTCOME_UNKNOWN, key=str(order.id), actor=actor, now=now, reason=reason)
        return order


def _ask(order: Order, lease: Lease) -> Shown | None:
    try:
        venue = brokerage_for(order.risk_account.connection)
    except ProviderError as error:
        raise RetryLater(_LONGEST_PAUSE_SECONDS, error.message) from error
    with venue:
        found = look_up(venue, order, attempt=lease.attempt)
    if isinstance(found, NotYet):
        raise RetryLater(found.seconds, found.reason)
    return found


def _take_answer(order_id: UUID, found: Shown | None, lease: Lease, now: datetime) -> int | None:
    """Store what the venue said; return how often it has not known the order, or None when all is known."""
    with write_scope(lease.actor):
        order = lock_order(order_id)
        is_ours = found is not None and take_venue_order(order, found.order, actor=lease.actor, now=now)
        if order.status == OrderStatus.UNKNOWN and not is_ours:
            order.lookups += 1
            order.save(update_fields=["lookups"])
            if order.lookups >= LOOKUPS_BEFORE_LOST:
                title, detail = _("What became of %(order)s is not known"), {"lookups": order.lookups}
                call_a_person(OUTCOME_UNKNOWN, order, title, detail, actor=lease.actor, now=now)
                # What it was to replace stands at the venue meanwhile, and can be canceled.
                let_original_go(order, _("The venue does not know it."), actor=lease.actor, now=now)
            return order.lookups
        incidents.resolve_incident(kind=OUTCOME_UNKNOWN, key=str(order.id), actor=lease.actor, now=now)
        settle(lease, now=now)
        return None
