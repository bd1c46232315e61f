"""Handles the jobs of orders, and what beat runs for this room."""

from uuid import UUID

from apps.core import clock
from apps.jobs.registry import handles
from apps.jobs.types import Lease
from apps.orders.services.canceling import cancel_at_venue
from apps.orders.services.resolving import resolve_order
from apps.orders.services.routing import abandon, route_order
from apps.orders.types import CANCEL_ORDER, REPLACE_ORDER, RESOLVE_ORDER, SUBMIT_ORDER

SUBMISSION_FAILED = "submission_failed"


def _stop_sending(lease: Lease, error: Exception) -> None:
    """A job that gave up proves nothing: an order that may have left is looked up."""
    reason = str(error) or type(error).__name__
    abandon(_order_id(lease), SUBMISSION_FAILED, reason, actor=lease.actor, now=clock.now())


@handles(SUBMIT_ORDER, on_dead=_stop_sending)
def submit_order(lease: Lease) -> None:
    """Send an approved order to its venue."""
    route_order(_order_id(lease), lease=lease, clock=clock.now)


@handles(REPLACE_ORDER, on_dead=_stop_sending)
def replace_order(lease: Lease) -> None:
    """Send an approved order to its venue in the place of the one that it replaces."""
    route_order(_order_id(lease), lease=lease, clock=clock.now)


@handles(RESOLVE_ORDER)
def resolve(lease: Lease) -> None:
    """Look up an order whose outcome is not known."""
    resolve_order(_order_id(lease), lease=lease, clock=clock.now)


@handles(CANCEL_ORDER)
def cancel_order(lease: Lease) -> None:
    """Ask the venue to cancel an order."""
    cancel_at_venue(_order_id(lease), lease=lease, clock=clock.now)


def _order_id(lease: Lease) -> UUID:
    return UUID(str(lease.payload["order_id"]))
