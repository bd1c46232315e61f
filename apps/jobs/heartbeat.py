"""Keeps a lease alive while its handler runs, up to the time limits of its kind."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection

from apps.core import clock
from apps.core.scope import system_scope
from apps.jobs import limits
from apps.jobs.errors import LeaseLost
from apps.jobs.services import leasing
from apps.jobs.types import Lease

logger = logging.getLogger(__name__)

_BEATS_PER_LEASE = 3


class Heartbeat:
    """Extends a lease three times per lease period, from a thread with a connection of its own.

    A job that ends within the first period costs a thread and no connection. Once the lease is gone, or could
    not be extended until it ran out, `lease.lost` is set: `settle` then raises, and its
    transaction rolls back. At the soft limit the handler is interrupted; at the hard limit `give_up` is called with
    where the handler is, the lease is no longer extended, and the process ends if it may.
    """

    def __init__(self, lease: Lease, give_up: Callable[[str], None]) -> None:
        self._lease = lease
        self._give_up = give_up
        self._ended = threading.Event()
        self._expires = time.monotonic() + lease.lease_seconds
        self._runs_in = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name=f"heartbeat-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        limits.end_if_blocked(self._lease.hard_seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        limits.go_on()
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        begun = time.monotonic()
        soft, hard = begun + self._lease.soft_seconds, begun + self._lease.hard_seconds
        try:
            if self._is_kept_until(soft):
                limits.interrupt(self._lease)
            if self._is_kept_until(hard):
                self._end()
        finally:
            connection.close()

    def _is_kept_until(self, limit: float) -> bool:
        """Extend the lease until a limit is reached; tell whether it was, with the handler still at it."""
        pause = self._lease.lease_seconds / _BEATS_PER_LEASE
        while not self._ended.wait(max(0, min(pause, limit - time.monotonic()))):
            begun = time.monotonic()
            if begun >= limit:
                return True
            if self._lease.lost:
                continue
            if self._extended():
                self._expires = begun + self._lease.lease_seconds
            elif time.monotonic() >= self._expires:
                self._lease.lost = True
        return False

    def _end(self) -> None:
        self._lease.lost = True
        try:
            self._give_up(limits.stack_of(self._runs_in))
        except DatabaseError as error:  # The lease runs out by itself.
            logger.warning("job.give_up_failed", extra={"job_id": str(self._lease.job_id), "error": str(error)})
        finally:
            if not self._ended.is_set():
                limits.end_process(self._lease)

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
