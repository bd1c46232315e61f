"""How long deliveries take from commit to first byte while one endpoint in five hangs or refuses, against all healthy.

A thousand endpoints of two hundred tenants; relay and sender are the platform's own processes, woken as always. Both
rounds send the same to the same healthy endpoints; only what the fifth one does differs.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain, cycle, islice
from subprocess import DEVNULL, Popen
from uuid import UUID

import httpx

from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.outbox.services import emit
from apps.outbox.types import NewEvent
from apps.tenants.services import create_tenant
from apps.webhooks.services import create_endpoint, delete_endpoint
from benchmarks.platform import process
from benchmarks.result import Result
from finops.embedded import ports, services

ROUNDS = 2
TENANTS, HEALTHY_EACH = 200, 4
EVENTS_A_SECOND = 12
# The bad ones' first time-outs have passed by then, and their slots are held as they always are.
WARM_SECONDS, SECONDS = 18.0, 25.0
LAST_SECONDS = 30.0


def isolation_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure the 99th percentile of the healthy endpoints in milliseconds: ours is beside bad ones; less is better."""
    import finops.celery  # noqa: F401  (carries the wakes of what is committed here to the workers)

    port, refusing = ports.choose(), ports.choose()
    base = f"http://127.0.0.1:{port}"
    times: dict[bool, list[list[float]]] = {True: [], False: []}
    with ExitStack() as stack:
        stack.enter_context(
            process(["-m", "benchmarks.clocked", "--port", str(port)], environment, ready=f"{base}/seen")
        )
        for command in (services.worker(environment), services.sender(environment)):
            child = Popen(command.arguments, env=dict(command.environment), stdout=DEVNULL, stderr=DEVNULL)
            stack.callback(_end, child)
        bad = [f"{base}/hang", f"http://127.0.0.1:{refusing}/"]
        actors = [_make_tenant(f"isolation-{index}", f"{base}/healthy") for index in range(TENANTS)]
        for number in range(2 * ROUNDS):
            with_bad = bool(number % 2)
            times[with_bad].append(_round(number, base, actors, bad if with_bad else [f"{base}/fifth"]))
    ours, peer = ([_percentile(found, 99) for found in times[with_bad]] for with_bad in (True, False))
    notes = [
        f"{name}: {len(found):,} deliveries, half within {_percentile(found, 50):.0f} ms, 99 % within "
        f"{_percentile(found, 99):.0f} ms, the slowest {max(found):.0f} ms"
        for name, found in (("beside bad ones", [*chain(*times[True])]), ("all healthy", [*chain(*times[False])]))
    ]
    yield Result(name="webhooks_isolation_p99", unit="ms (less is better)", ours=ours, peer=peer, notes=notes)


def _round(number: int, base: str, actors: list[Actor], fifth: list[str]) -> list[float]:
    """Give each tenant its fifth endpoint, send events for a while, and return each healthy delivery's milliseconds."""
    others = [
        (actor, create_endpoint(url=url, event_types=["order.*"], actor=actor, now=clock.now()).endpoint.id)
        for actor, url in zip(actors, cycle(fifth), strict=False)
    ]
    first = number * 1_000_000
    committed = _emit(first, actors)
    arrived = _await_all(base, committed)
    _delete(others)
    return [(at - committed[event]) * 1000 for event, at in arrived]


def _await_all(base: str, committed: Mapping[int, float]) -> list[tuple[int, float]]:
    """Return each healthy delivery's event and when its first byte came, once all are there."""
    deadline = time.monotonic() + LAST_SECONDS
    while True:
        seen = [line.split() for line in httpx.get(f"{base}/seen", timeout=30).text.splitlines()]
        arrived = [(int(event), float(at)) for event, at in seen if int(event) in committed]
        missing = HEALTHY_EACH * len(committed) - len(arrived)
        if missing <= 0:
            return arrived
        if time.monotonic() > deadline:
            raise RuntimeError(f"{missing} deliveries to healthy endpoints are missing")
        time.sleep(0.5)


def _emit(first: int, actors: list[Actor]) -> dict[int, float]:
    """Commit events at an even pace, the tenants in turns; return when each was committed, once all is warm."""
    committed: dict[int, float] = {}
    started = time.monotonic()
    count = int((WARM_SECONDS + SECONDS) * EVENTS_A_SECOND)
    for index, actor in enumerate(islice(cycle(actors), count)):
        due = started + index / EVENTS_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        data = {"number": first + index}
        with write_scope(actor):
            emit(
                NewEvent(type="order.filled", entity_type="order", entity_id=new_id(), data=data),
                actor=actor,
                now=clock.now(),
            )
        if index >= WARM_SECONDS * EVENTS_A_SECOND:
            committed[first + index] = time.monotonic()
    return committed


def _make_tenant(slug: str, url: str) -> Actor:
    tenant = create_tenant(slug=slug, name="Isolation", actor=system_actor("benchmark"), now=clock.now())
    actor = system_actor("benchmark", tenant_id=tenant.id)
    for _ in range(HEALTHY_EACH):
        create_endpoint(url=url, event_types=["order.*"], actor=actor, now=clock.now())
    return actor


def _delete(endpoints: list[tuple[Actor, UUID]]) -> None:
    """Let nothing of one round be tried again in the next."""
    for actor, endpoint_id in endpoints:
        delete_endpoint(endpoint_id=endpoint_id, actor=actor, now=clock.now())


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _end(child: Popen[bytes]) -> None:
    child.terminate()
    child.wait(timeout=30)
