"""Asks the venue to cancel an order. `pending` stays until the venue says what came of it."""

from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.scope import tenant_scope, write_scope
from apps.jobs.errors import RetryLater
from apps.jobs.services import settle
from apps.jobs.types import Lease
from apps.orders import events
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order
from apps.orders.rules.states import AT_VENUE, OPEN_STATES
from apps.orders.services.denying import canceled_before_submission, deny
from apps.orders.services.locking import lock_order
from apps.orders.services.sending import pause
from apps.orders.services.transitions import note
from apps.orders.services.updates import take_venue_order
from apps.orders.types import Clock
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import BrokerageAdapter
from apps.providers.registry import brokerage_for
from apps.providers.trading import VenueOrder


def cancel_at_venue(order_id: UUID, *, lease: Lease, clock: Clock) -> None:
    """Ask for a cancel, as often as it takes: asking twice does no harm. Then settle the lease.

    An order that never left is denied. One that may be on its way is let be: whoever learns that the venue has it
    asks again. A cancel skips the kill switch, since it takes risk away.

    Raises:
        RetryLater: the venue could not be asked, or its answer was lost.
    """
    with tenant_scope(lease.tenant_id):
        order = Order.objects.select_related("risk_account__connection").get(id=order_id)
        venue = _open(order, lease) if _is_wanted(order) else None
    told, refusal = None, ""
    if venue is not None:
        with venue:
            told, refusal = _cancel(venue, order, lease)
    with write_scope(lease.actor):
        locked = lock_order(order_id)
        if locked.status == OrderStatus.APPROVED:
            deny(locked, canceled_before_submission(), actor=lease.actor, now=clock())
        if venue is None and _is_wanted(locked):
            # It has come there since it was read; whoever saw to that took this job for the one that would ask.
            raise RetryLater(0, _("The order has only just come to the venue."))
        if told is not None:
            _take(locked, told, refusal, lease, clock)
        settle(lease, now=clock())


def _is_wanted(order: Order) -> bool:
    return order.status in AT_VENUE and order.pending == Pending.CANCEL


def _open(order: Order, lease: Lease) -> BrokerageAdapter:
    try:
        return brokerage_for(order.risk_account.connection)
    except ProviderError as error:
        raise RetryLater(pause(error, attempt=lease.attempt), error.message) from error


def _cancel(venue: BrokerageAdapter, order: Order, lease: Lease) -> tuple[VenueOrder | None, str]:
    """Return the order as the venue shows it if it did not simply agree, and why it refused, if it did."""
    try:
        try:
            venue.cancel_order(order.venue_order_id)
            return None, ""
        except ProviderError as error:
            if error.category not in (ErrorCategory.PERMANENT, ErrorCategory.UNKNOWN_OUTCOME):
                raise
            told, refusal = venue.get_order(order.venue_order_id), error
    except ProviderError as error:
        raise RetryLater(pause(error, attempt=lease.attempt), error.message) from error
    if told is None:
        raise RetryLater(pause(refusal, attempt=lease.attempt), _("The venue does not know the order any more."))
    if refusal.category is ErrorCategory.PERMANENT:
        return told, refusal.message
    if told.status in OPEN_STATES and told.pending != "cancel":
        raise RetryLater(pause(refusal, attempt=lease.attempt), refusal.message)
    return told, ""


def _take(order: Order, told: VenueOrder, refusal: str, lease: Lease, clock: Clock) -> None:
    """Store the venue's word. Refused is what did not end as canceled and is not being canceled, either."""
    is_refused = refusal and told.status != "canceled" and told.pending != "cancel"
    if is_refused and order.pending == Pending.CANCEL:
        data = {"reason": refusal}
        note(order, events.ORDER_CANCEL_REFUSED, actor=lease.actor, now=clock(), data=data, pending=Pending.NONE)
    take_venue_order(order, told, actor=lease.actor, now=clock())
