"""Ends what takes too long: a handler that hangs must not keep its job, and a worker's child, for ever.

In a child of a prefork worker a job runs in the main thread and alone, so it can be stopped there: at the soft limit by
an exception, raised from a signal, which also ends waiting for a socket or the database; at the hard limit with the
child, which its parent replaces. That is no more than a crash at this point, which every handler has to withstand.

In a thread beside others (`--pool threads`) nothing can be stopped safely: there the hard limit takes the job away from
its thread, and the process, which leases no more, ends once its neighbours have ended what they were at. Whoever
supervises it starts another: a thread that hangs would for ever keep its place and what its session has locked.
"""

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from apps.jobs import shutdown
from apps.jobs.errors import TimeLimitReached
from apps.jobs.types import Lease

logger = logging.getLogger(__name__)

# A handler in C code that never lets go of the interpreter stops our threads, too. Then the process is ended this much
# later by a timer that needs no interpreter, and its job is taken for one that has lost its worker.
BLOCKED_SECONDS = 30
# How long the neighbours of a thread that hangs may take to end; what they have not ended then starts again elsewhere.
NEIGHBOURS_SECONDS = 30.0
_INTERRUPT = signal.SIGALRM


@dataclass(slots=True)
class _Process:
    """What may be done to this process, the jobs it runs, and the one that its main thread may be interrupted at."""

    runs_alone: bool = False
    runs_beside_others: bool = False
    running: set[Lease] = field(default_factory=set)
    interruptible: Lease | None = None


_this = _Process()


def run_alone() -> None:
    """Say that this process runs its jobs in the main thread, one by one, and is replaced when it ends."""
    _this.runs_alone = True
    signal.signal(_INTERRUPT, _raise)


def run_beside_others() -> None:
    """Say that this process runs jobs in threads, and is replaced when it ends."""
    _this.runs_beside_others = True


@contextmanager
def interruptible(lease: Lease) -> Iterator[None]:
    """Let `interrupt` raise in this block, once. What has to be undone lies outside: it may come at any step."""
    _this.running.add(lease)
    _this.interruptible = lease
    try:
        yield
    finally:
        _this.interruptible = None
        _this.running.discard(lease)


def interrupt(lease: Lease) -> None:
    """Raise `TimeLimitReached` in the lease's handler, where that is safe. Called from another thread."""
    logger.warning("job.soft_limit", extra={"job_id": str(lease.job_id), "kind": lease.kind})
    if _this.runs_alone:
        signal.pthread_kill(threading.main_thread().ident or 0, _INTERRUPT)


def end_if_blocked(after: float) -> None:
    """End this process after so many seconds, whatever it is doing then, unless `go_on` comes first."""
    if _this.runs_alone:
        faulthandler.dump_traceback_later(after + BLOCKED_SECONDS, exit=True, file=2)


def go_on() -> None:
    """Take back `end_if_blocked`."""
    if _this.runs_alone:
        faulthandler.cancel_dump_traceback_later()


def end_process(lease: Lease) -> None:
    """End this process, where another takes its place: at once where it runs this job alone."""
    ends = _this.runs_alone or _this.runs_beside_others
    logger.error("job.hard_limit", extra={"job_id": str(lease.job_id), "kind": lease.kind, "ends": ends})
    if _this.runs_beside_others:
        _wait_for_neighbours()
    if ends:
        os.kill(os.getpid(), signal.SIGKILL)


def _wait_for_neighbours() -> None:
    shutdown.begin()
    deadline = time.monotonic() + NEIGHBOURS_SECONDS
    while any(not lease.lost for lease in tuple(_this.running)) and time.monotonic() < deadline:
        time.sleep(0.1)


def stack_of(thread: int) -> str:
    """Return where a thread is now, as a traceback would say it."""
    frame = sys._current_frames().get(thread)
    return "".join(traceback.format_stack(frame)) if frame else ""


def _raise(_signal: int, _frame: FrameType | None) -> None:
    lease, _this.interruptible = _this.interruptible, None
    if lease is not None:
        lease.interrupted = True
        raise TimeLimitReached(lease.soft_seconds)
