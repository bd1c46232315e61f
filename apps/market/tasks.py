"""Imports of venues' lists: asked for by beat, carried out as jobs."""

import logging
from uuid import UUID

from celery import shared_task

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.jobs.errors import RetryLater
from apps.jobs.registry import handles
from apps.jobs.types import Lease
from apps.market import services
from apps.market.types import IMPORT_LISTINGS
from apps.providers.errors import ProviderError
from apps.providers.models import Connection

logger = logging.getLogger(__name__)


@shared_task(name="market.request_due_imports", ignore_result=True)
def request_due_imports() -> None:
    """Ask for the imports that are due: a new venue's at once, a known one's once a day."""
    services.request_due_imports(now=clock.now())


@handles(IMPORT_LISTINGS)
def import_listings(lease: Lease) -> None:
    """Take over one venue's list with the connection that was at hand.

    A connection that can no longer be used is its own trouble, which its syncs tell of: the next look takes another.
    """
    with tenant_scope(lease.tenant_id):
        connection = Connection.objects.get(id=UUID(str(lease.payload["connection_id"])))
    try:
        services.import_listings(connection=connection)
    except ProviderError as error:
        failure = error.as_failure()
        if failure.permanent:
            logger.warning("market.import_refused", extra={"venue": connection.provider, "code": error.code})
            return
        if failure.retry_after is not None:
            raise RetryLater(int(failure.retry_after) + 1, failure.message) from error
        raise
