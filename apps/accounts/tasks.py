"""Carries out the sync of a connection."""

import logging
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.errors import ReadingUnstable
from apps.accounts.sync.run import Stages, synchronise
from apps.core import clock
from apps.core.errors import DomainError, ReadOnly
from apps.jobs.errors import LeaseLost, PermanentFailure, RetryLater
from apps.jobs.registry import handles
from apps.jobs.types import Lease
from apps.market.services import request_import
from apps.providers import registry
from apps.providers.enums import Capability
from apps.providers.errors import ProviderError, SyncRunClosed
from apps.providers.models import Connection
from apps.providers.services import fail_run, start_run
from apps.providers.types import SYNC_CONNECTION, SyncFailure

logger = logging.getLogger(__name__)

UNSTABLE_RETRY_SECONDS = 60


def _on_dead(lease: Lease, error: Exception) -> None:
    """Fail the run of a job that died without telling, such as one that killed every worker which held it."""
    message = _("The sync was interrupted: %(reason)s") % {"reason": str(error) or type(error).__name__}
    failure = SyncFailure(code="sync_interrupted", message=message)
    fail_run(run_id=_run_id(lease), failure=failure, will_retry=False, actor=lease.actor, now=clock.now())


@handles(SYNC_CONNECTION, on_dead=_on_dead)
def sync_connection(lease: Lease) -> None:
    """Synchronise one connection: all of it, or nothing and a readable failure on its run."""
    stages = Stages()
    try:
        run = start_run(run_id=_run_id(lease), attempt=lease.attempt, actor=lease.actor, now=clock.now())
        synchronise(connection=run.connection, run_id=run.id, lease=lease, clock=clock.now, stages=stages)
    except SyncRunClosed as closed:
        logger.info("sync.not_needed", extra={"reason": str(closed)})
    except (LeaseLost, ReadOnly):
        raise  # The run is someone else's, or waits as it is until writing is switched on.
    except Exception as error:  # noqa: BLE001  (whatever failed, the run says so, and `_fail` raises it again)
        _fail(lease, _failure_of(error), stages, error)
    else:
        _want_listings(run.connection, lease)


def _want_listings(connection: Connection, lease: Lease) -> None:
    """Have a broker's list imported at once where we have none; beat would ask for it a little later."""
    if connection.provider not in registry.providers_with(Capability.BROKERAGE):
        return
    try:
        request_import(connection=connection, actor=lease.actor, now=clock.now())
    except DomainError as error:
        logger.info("sync.listings_not_requested", extra={"code": error.code})


def _failure_of(error: Exception) -> SyncFailure:
    if isinstance(error, ProviderError):
        return error.as_failure()
    if isinstance(error, ReadingUnstable):
        message = _("The bank's data kept changing while it was read; the sync is tried again.")
        return SyncFailure(code="reading_unstable", message=message, retry_after=UNSTABLE_RETRY_SECONDS)
    # The runner keeps the traceback with the job, for staff.
    message = _("The sync failed on our side; it is tried again.")
    return SyncFailure(code="internal_error", message=message)


def _fail(lease: Lease, failure: SyncFailure, stages: Stages, error: Exception) -> None:
    """Note the failure on the run and tell the runner what to do with the job."""
    will_retry = not failure.permanent and not lease.is_last_attempt
    fail_run(
        run_id=_run_id(lease),
        failure=failure,
        will_retry=will_retry,
        actor=lease.actor,
        now=clock.now(),
        stages=stages.milliseconds,
    )
    if failure.permanent:
        raise PermanentFailure(failure.code, failure.message) from error
    if failure.retry_after is not None:
        raise RetryLater(int(failure.retry_after) + 1, failure.message) from error
    raise error


def _run_id(lease: Lease) -> UUID:
    return UUID(str(lease.payload["run_id"]))
