"""How far the audit log's trees are behind at 500 leaves a second, against the second that is promised.

Fifty tenants write in turns; the sequencer runs in a worker of the platform, woken as always.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from statistics import quantiles
from subprocess import DEVNULL, Popen
from threading import Event, Thread

import psycopg

from apps.audit.services import record
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.scope import write_scope
from apps.tenants.services import create_tenant
from benchmarks.result import Result
from finops.embedded import services

TENANTS = 50
# A request writes a leaf or a few, in one transaction.
TRANSACTIONS_A_SECOND, LEAVES_EACH = 125, 4
WARM_SECONDS, SECONDS = 5.0, 30.0
START_SECONDS = 60.0
PROMISED_MS = 1_000.0

_PENDING = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float FROM audit_entry
WHERE sequence IS NULL
"""
# Each leaf's milliseconds to the first checkpoint that covers it.
_UNTIL_SIGNED = """
SELECT extract(epoch FROM signed_at - at)::float * 1000
FROM audit_entry AS entry, LATERAL (
    SELECT min(signed_at) AS signed_at FROM audit_checkpoint AS signed
    WHERE signed.tenant_id = entry.tenant_id AND signed.size >= entry.sequence
) AS first WHERE entry.action = 'bench.lagged'
"""


def lag_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Sample the age of the oldest leaf that is in no tree yet, in milliseconds; less is better."""
    from finops.celery import app, waker  # carries the wakes of what is committed here to the workers

    # What benchmarks before this one asked of a worker that was not there, it would do first.
    waker.flush(START_SECONDS)
    app.control.purge()
    actors = [_make_tenant(f"lag-{index}") for index in range(TENANTS)]
    command = services.worker(environment)
    child = Popen(command.arguments, env=dict(command.environment), stdout=DEVNULL, stderr=DEVNULL)
    try:
        _write(actors, "bench.warmed", WARM_SECONDS)
        with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
            _await_sequencer(owner)
            samples, rate = _sampled(owner, actors)
            time.sleep(2 * PROMISED_MS / 1000)
            signed = [row[0] for row in owner.execute(_UNTIL_SIGNED).fetchall()]
    finally:
        child.terminate()
        child.wait(timeout=30)
    if None in signed:
        raise RuntimeError(f"{signed.count(None)} of {len(signed)} leaves are in no checkpoint")
    notes = [
        f"{rate:.0f} leaves/s of {TENANTS} tenants for {SECONDS:.0f} s; ours is the 99th percentile, "
        f"peer the promise; half within {_percentile(samples, 50):.0f} ms, at most {max(samples):.0f} ms",
        f"in a signed checkpoint: half within {_percentile(signed, 50):.0f} ms, 99 % within "
        f"{_percentile(signed, 99):.0f} ms, the last {max(signed):.0f} ms after",
    ]
    yield Result(
        name="audit-lag", unit="ms (less is better)", ours=[_percentile(samples, 99)], peer=[PROMISED_MS], notes=notes
    )


def _await_sequencer(owner: psycopg.Connection[tuple[float]]) -> None:
    """Wait until the worker, which takes seconds to start, has numbered what was written so far."""
    deadline = time.monotonic() + START_SECONDS
    while owner.execute("SELECT FROM audit_entry WHERE sequence IS NULL LIMIT 1").rowcount:
        if time.monotonic() > deadline:
            raise RuntimeError("the sequencer does not start")
        time.sleep(0.1)


def _sampled(owner: psycopg.Connection[tuple[float]], actors: list[Actor]) -> tuple[list[float], float]:
    """Write for a while; return the samples in milliseconds and the leaves a second that were written."""
    samples, is_over = list[float](), Event()

    def sample() -> None:
        while not is_over.wait(0.05):
            row = owner.execute(_PENDING).fetchone()
            samples.append(1000 * row[0] if row else 0.0)

    sampler = Thread(target=sample)
    sampler.start()
    try:
        rate = _write(actors, "bench.lagged", SECONDS)
    finally:
        is_over.set()
        sampler.join()
    return samples, rate


def _write(actors: list[Actor], action: str, seconds: float) -> float:
    """Write leaves at an even pace, the tenants in turns; return how many a second it came to."""
    started, count = time.monotonic(), int(seconds * TRANSACTIONS_A_SECOND)
    for index, actor in enumerate(islice(cycle(actors), count)):
        time.sleep(max(0.0, started + index / TRANSACTIONS_A_SECOND - time.monotonic()))
        with write_scope(actor):
            for number in range(LEAVES_EACH):
                target = str(index * LEAVES_EACH + number)
                record(action=action, actor=actor, target_type="bench", target_id=target, now=clock.now())
    return count * LEAVES_EACH / (time.monotonic() - started)


def _make_tenant(slug: str) -> Actor:
    tenant = create_tenant(slug=slug, name="Lag", actor=system_actor("benchmark"), now=clock.now())
    return system_actor("benchmark", tenant_id=tenant.id)


def _percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]
