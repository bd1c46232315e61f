"""Keeps a lease alive while its handler runs."""

import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection

from apps.core import clock
from apps.core.scope import system_scope
from apps.jobs.errors import LeaseLost
from apps.jobs.services import leasing
from apps.jobs.types import Lease

logger = logging.getLogger(__name__)

_BEATS_PER_LEASE = 3


class Heartbeat:
    """Extends a lease three times per lease period, from a thread with a connection of its own.

    A job that ends within the first period costs a thread and no connection. Once the lease is gone, or could
    not be extended until it ran out, `lease.lost` is set: `settle` then raises, and its
    transaction rolls back.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        expires = time.monotonic() + self._lease.lease_seconds
        try:
            while not self._ended.wait(self._lease.lease_seconds / _BEATS_PER_LEASE):
                begun = time.monotonic()
                if self._extended():
                    expires = begun + self._lease.lease_seconds
                elif self._lease.lost or time.monotonic() >= expires:
                    self._lease.lost = True
                    return
        finally:
            connection.close()

    def _extended(self) -> bool:
        try:
            with system_scope():
                # The handler may be settling this very row; better to come back than to pile up behind it.
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '1s'")
                leasing.extend(self._lease, now=clock.now())
        except LeaseLost:
            self._lease.lost = True
            return False
        except DatabaseError as error:
            connection.close()
            logger.warning("job.heartbeat_failed", extra={"job_id": str(self._lease.job_id), "error": str(error)})
            return False
        return True
