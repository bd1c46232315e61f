"""Waits a moment for the sequencer, so that a client is told of what it has only just done."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from apps.audit.errors import NotInCheckpointYet

_POLL_SECONDS = 0.03
# Of a process's few threads at most so many wait for the sequencer; whoever comes beside them is told to come again.
_waiting = threading.BoundedSemaphore(2)

T = TypeVar("T")


def read_when_there(read: Callable[[], T]) -> T:
    """Return what `read` returns, now or as soon as the sequencer has come so far.

    Raises:
        NotInCheckpointYet: see `read_soon`.
    """
    try:
        return read()
    except NotInCheckpointYet:
        return read_soon(read)


def read_soon(read: Callable[[], T]) -> T:
    """Return what `read` returns a moment later, once it does not raise NotInCheckpointYet any more.

    Raises:
        NotInCheckpointYet: it did for AUDIT_WAIT_SECONDS, or others wait already.
    """
    deadline = time.monotonic() + settings.AUDIT_WAIT_SECONDS
    if _waiting.acquire(blocking=False):
        try:
            return _poll(read, deadline)
        finally:
            _waiting.release()
    raise NotInCheckpointYet(retry_after=1)


def _poll(read: Callable[[], T], deadline: float) -> T:
    while time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        try:
            return read()
        except NotInCheckpointYet:
            continue
    raise NotInCheckpointYet(retry_after=1)
