"""Handles the jobs of orders, and what beat runs for this room."""

import logging
from uuid import UUID

from celery import shared_task

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.errors import ReadOnly
from apps.core.scope import system_scope
from apps.jobs.errors import RetryLater
from apps.jobs.registry import handles
from apps.jobs.types import Lease
from apps.orders.rules.checks import Denial
from apps.orders.rules.codes import DenialCode
from apps.orders.services.canceling import cancel_at_venue
from apps.orders.services.marking import refresh_quotes_of_positions
from apps.orders.services.pulling import AccountBeingPulled, accounts_to_pull, pull_account
from apps.orders.services.resolving import resolve_order
from apps.orders.services.routing import abandon, route_order
from apps.orders.services.sending import pause
from apps.orders.types import CANCEL_ORDER, PULL_ACCOUNT, REPLACE_ORDER, RESOLVE_ORDER, SUBMIT_ORDER
from apps.providers.errors import ProviderError

logger = logging.getLogger(__name__)

# A pull that nobody took in this time is dropped: beat asks again.
_EXPIRE_SECONDS = 5
_BUSY_SECONDS = 2


def _stop_sending(lease: Lease, error: Exception) -> None:
    """A job that gave up proves nothing: an order that may have left is looked up."""
    reason = str(error) or type(error).__name__
    denial = Denial(DenialCode.SUBMISSION_FAILED, reason)
    abandon(_order_id(lease), denial, actor=lease.actor, now=clock.now())


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


@handles(PULL_ACCOUNT)
def pull(lease: Lease) -> None:
    """Read an account from its venue, since something of it is known to be missing; in the end that is left to beat."""
    try:
        pull_account(UUID(str(lease.payload["risk_account_id"])), actor=lease.actor, clock=clock.now)
    except (ProviderError, AccountBeingPulled) as error:
        if lease.is_last_attempt:
            logger.warning("orders.not_pulled", extra={"job_id": str(lease.job_id), "reason": str(error)})
            return
        seconds = pause(error, attempt=lease.attempt) if isinstance(error, ProviderError) else _BUSY_SECONDS
        raise RetryLater(seconds, str(error)) from error


@shared_task(name="orders.pull_open", ignore_result=True)
def pull_open() -> None:
    """Have every account with open orders read."""
    _send_pulls(are_open=True)


@shared_task(name="orders.pull_all", ignore_result=True)
def pull_all() -> None:
    """Have every account read: for late executions and for drift."""
    _send_pulls(are_open=False)


@shared_task(name="orders.refresh_quotes", ignore_result=True)
def refresh_quotes() -> None:
    """Keep a price at hand for whatever is held."""
    refresh_quotes_of_positions()


@shared_task(name="orders.pull_account", ignore_result=True)
def pull_one(tenant_id: str, risk_account_id: str) -> None:
    """Read one account from its venue. Losing this task loses nothing, since beat asks again."""
    actor = system_actor("pull", tenant_id=UUID(tenant_id))
    try:
        pull_account(UUID(risk_account_id), actor=actor, clock=clock.now)
    except (AccountBeingPulled, ReadOnly):
        return
    except ProviderError as error:
        logger.warning("orders.not_pulled", extra={"risk_account_id": risk_account_id, "code": error.code})


def _send_pulls(*, are_open: bool) -> None:
    with system_scope():
        accounts = accounts_to_pull(are_open=are_open)
    for tenant_id, risk_account_id in accounts:
        pull_one.apply_async((str(tenant_id), str(risk_account_id)), expires=_EXPIRE_SECONDS, retry=False)


def _order_id(lease: Lease) -> UUID:
    return UUID(str(lease.payload["order_id"]))
