"""Runs jobs: lease, hand over to the handler, settle or fail. Knows nothing of Celery."""

import logging
import random as randomness
import time
import traceback
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime
from random import Random

from django.db import connection

from apps.core import clock, context
from apps.core.context import Context
from apps.core.redaction import redact_text
from apps.core.scope import request_wake, system_scope, write_scope
from apps.jobs import limits, registry
from apps.jobs.backoff import judge
from apps.jobs.enums import JobState
from apps.jobs.errors import LeaseLost, TimeLimitReached, WorkerLost
from apps.jobs.heartbeat import Heartbeat
from apps.jobs.services import leasing
from apps.jobs.turns import turns_of
from apps.jobs.types import Lease

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 2.0
_jitter = randomness.SystemRandom()

Clock = Callable[[], datetime]


def run_next(queue: str, *, worker: str, now: datetime | None = None, random: Random = _jitter) -> bool:
    """Run the next due job of a queue, if there is one, and tell whether there was.

    `now` stops the clock at an instant (tests); without it each step reads the time.
    """
    tick: Clock = clock.now if now is None else lambda: now
    lease = _lease(queue, worker, tick())
    if lease is not None:
        _run(lease, tick, random)
    return lease is not None


def drain(queue: str, *, worker: str, stopping: Callable[[], bool], seconds: float = DRAIN_SECONDS) -> int:
    """Run a queue's due jobs one by one, for about `seconds`, and return how many.

    If more is due after the first is leased, one more wake goes out, so that idle workers join one by one and
    the work goes on when this one's time is up. Each drain sends at most that one, and one that could lease nothing
    sends none: wakes cannot multiply. On a queue with bounds those who come too early have gone again, so there
    another wake hands the place over at the end.
    """
    count, deadline = 0, time.monotonic() + seconds
    while not stopping() and (lease := _lease(queue, worker, clock.now())):
        if not count:
            _pass_on(queue)
        _run(lease, clock.now, _jitter)
        count += 1
        if time.monotonic() >= deadline:
            _pass_on(queue, only_if_bounded=True)
            break
    return count


def sweep(*, now: datetime) -> None:
    """Take back what lost workers held, and wake every queue that has due jobs."""
    with system_scope():
        for job in leasing.reclaim_expired(now=now):
            logger.warning("job.reclaimed", extra={"job_id": str(job.id), "kind": job.kind, "state": job.state})
            if job.state == JobState.DEAD:
                lease = leasing.lease_of(job)
                with context.use(_context_of(lease)):
                    _mourn(lease, WorkerLost(job.last_error_message))
        for queue in leasing.queues_with_due_jobs(registry.queues(), now=now):
            request_wake(f"jobs:{queue}")


def _context_of(lease: Lease) -> Context:
    return Context(lease.actor.request_id, context.continue_trace(lease.traceparent), lease.actor)


def _lease(queue: str, worker: str, now: datetime) -> Lease | None:
    kinds = registry.kinds_on(queue)
    with system_scope():
        return leasing.lease_next(queue=queue, kinds=kinds, worker=worker, now=now, turns=turns_of(queue))


def _pass_on(queue: str, *, only_if_bounded: bool = False) -> None:
    with system_scope():
        if only_if_bounded and not leasing.is_bounded(queue):
            return
        if leasing.queues_with_due_jobs([queue], now=clock.now()):
            request_wake(f"jobs:{queue}")


def _run(lease: Lease, tick: Clock, random: Random) -> None:
    with context.use(_context_of(lease)):
        _carry_out(lease, tick, random)


def _carry_out(lease: Lease, tick: Clock, random: Random) -> None:
    started = time.monotonic()
    outcome = "succeeded"
    try:
        _handle(lease, tick, random)
        if not lease.settled:
            with system_scope():
                leasing.settle(lease, now=tick())
    except LeaseLost:
        outcome = "lease_lost"
    except Exception as error:  # noqa: BLE001  (whatever a handler raises is judged, stored and shown to staff)
        outcome = _fail(lease, error, tick(), random)
    logger.log(
        logging.INFO if outcome == "succeeded" else logging.WARNING,
        "job.finished",
        extra={
            "job_id": str(lease.job_id),
            "kind": lease.kind,
            "attempt": lease.attempt,
            "outcome": outcome,
            "duration_ms": round((time.monotonic() - started) * 1000, 1),
        },
    )


def _handle(lease: Lease, tick: Clock, random: Random) -> None:
    def give_up(stack: str) -> None:
        with context.use(_context_of(lease)):
            _fail(lease, TimeLimitReached(lease.hard_seconds), tick(), random, stack=stack)

    is_nested = connection.in_atomic_block
    try:
        with Heartbeat(lease, give_up), limits.interruptible(lease):
            # In a context of its own, which ends with it: what interrupts it may come before a scope's end is assured.
            copy_context().run(registry.registration(lease.kind).handler, lease)
    finally:
        if lease.interrupted and not is_nested:
            connection.in_atomic_block = False  # likewise a transaction's
            connection.close()


def _fail(lease: Lease, error: Exception, now: datetime, random: Random, *, stack: str = "") -> str:
    if not connection.in_atomic_block:
        # The error may be the connection's end; the verdict needs a working one.
        connection.close_if_unusable_or_obsolete()
    failure = judge(
        error,
        kind=registry.registration(lease.kind).kind,
        attempt=lease.attempt,
        max_attempts=lease.max_attempts,
        now=now,
        random=random,
    )
    trace = redact_text(stack + "".join(traceback.format_exception(error)))
    try:
        with system_scope():
            leasing.fail(lease, failure, trace=trace, now=now)
            if failure.run_at is None:
                _mourn(lease, error)
    except LeaseLost:
        logger.exception("job.failed_without_lease", extra={"job_id": str(lease.job_id), "kind": lease.kind})
        return "lease_lost"
    return "dead" if failure.run_at is None else failure.code


def _mourn(lease: Lease, error: Exception) -> None:
    """Tell the room and the platform of a death, in the transaction that marks it.

    While writing is switched off, too: a dead job without its incident would never be found.
    """
    logger.error("job.dead", extra={"job_id": str(lease.job_id), "kind": lease.kind, "error": str(error)})
    for hook in registry.death_hooks(lease.kind):
        try:
            with write_scope(lease.actor, even_if_read_only=True):
                hook(lease, error)
        except Exception:  # A broken hook must not keep a dead job alive.
            logger.exception("job.death_hook_failed", extra={"job_id": str(lease.job_id)})
