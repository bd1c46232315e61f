"""Four relays in processes of their own, some of them killed, over fifty tenants: every event once, none held up."""

import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from statistics import quantiles
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.outbox.services import emit_many
from apps.outbox.types import NewEvent
from tests import databases
from tests.factories.outbox import make_event, multiply, new_event
from tests.factories.tenants import make_tenant
from tests.factories.webhooks import make_endpoint
from tests.outbox.relay_process import RelayProcess

pytestmark = [pytest.mark.worker_login, pytest.mark.prove]

TENANTS, WRITERS, RELAYS = 50, 4, 4
SECONDS = 15.0
KILLS = 10
LONG_QUEUE = 100_000


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


class Writers:
    """Emit events of their own entities for all tenants, roll some back and keep some transactions open."""

    def __init__(self, tenants: list[UUID], seed: int, *, hold: float = 0.05) -> None:
        self._tenants, self._seed, self._hold = tenants, seed, hold
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(WRITERS)
        self.emitted: Counter[UUID] = Counter()

    def __enter__(self) -> "Writers":
        self._running = [self._pool.submit(self._write, number) for number in range(WRITERS)]
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        for future in self._running:
            future.result(30)
        self._pool.shutdown()

    def _write(self, number: int) -> None:
        chance = random.Random(self._seed + number)
        # Each writer has its own entities, so that it need not lock them: nobody else emits for them.
        entities = {tenant: new_id() for tenant in self._tenants}
        written: Counter[UUID] = Counter()
        try:
            while not self._done.is_set():
                tenant = chance.choice(self._tenants)
                count = chance.randint(1, 5)
                numbers = range(written[tenant], written[tenant] + count)
                events = [numbered(entities[tenant], number) for number in numbers]
                try:
                    with write_scope(system_actor("tests", tenant_id=tenant)):
                        emit_many(events, actor=system_actor("tests", tenant_id=tenant), now=clock.now())
                        if chance.random() < self._hold:
                            self._done.wait(chance.random())
                        if chance.random() < 0.1:
                            raise ZeroDivisionError
                except ZeroDivisionError:
                    continue
                written[tenant] += count
        finally:
            connection.close()
        self.emitted.update(written)


def numbered(entity: UUID, number: int) -> NewEvent:
    return new_event("order.filled", entity_id=entity, data={"client_order_id": str(number)})


@pytest.fixture
def relays(database: str, process_environment: Mapping[str, str]) -> Iterator[list[RelayProcess]]:
    with ExitStack() as ending:
        yield [ending.enter_context(RelayProcess(database, process_environment)) for _number in range(RELAYS)]


def wait_until_relayed(owner: psycopg.Connection, but: UUID | None = None) -> None:
    deadline = time.monotonic() + 120
    pending = "SELECT count(*) FROM outbox_event WHERE sequence IS NULL AND tenant_id IS DISTINCT FROM %s"
    while owner.execute(pending, [but]).fetchone() != (0,):
        assert time.monotonic() < deadline, "not all was relayed"
        time.sleep(0.05)


def test_every_event_once_whatever_dies(relays: list[RelayProcess], owner: psycopg.Connection) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    tenants = [make_tenant(f"tenant-{number}") for number in range(TENANTS)]
    endpoints = [make_endpoint(tenant).endpoint for tenant in tenants[:5]]
    kills = 0
    with Writers([tenant.id for tenant in tenants], seed) as writers:
        ends_at = time.monotonic() + 6 * SECONDS  # a machine with much to do takes long to start one
        while kills < KILLS and time.monotonic() < ends_at:
            time.sleep(chance.random())
            victim = chance.choice(relays)
            victim.kill()
            victim.start()
            kills += 1
    wait_until_relayed(owner)
    say(f"seed {seed}: {writers.emitted.total()} events of {TENANTS} tenants, {kills} relays killed")

    assert_numbered_in_order(owner)
    found = owner.execute("SELECT tenant_id, count(*) FROM outbox_event WHERE type = 'order.filled' GROUP BY 1")
    assert dict(found.fetchall()) == writers.emitted
    for endpoint in endpoints:
        queued = "SELECT count(*), count(DISTINCT event_id) FROM webhooks_delivery WHERE endpoint_id = %s"
        events = writers.emitted[endpoint.tenant_id]
        assert owner.execute(queued, [endpoint.id]).fetchone() == (events, events)


def assert_numbered_in_order(owner: psycopg.Connection) -> None:
    """Each tenant counts from one without a gap, its counter is at the end, and entities keep their order."""
    gaps = """
        SELECT tenant_id FROM outbox_event GROUP BY tenant_id
        HAVING (min(sequence), max(sequence)) <> (1, count(*)) OR count(DISTINCT sequence) <> count(*)
            OR max(sequence) <> (SELECT last_sequence FROM outbox_counter c WHERE c.tenant_id = outbox_event.tenant_id)
    """
    assert owner.execute(gaps).fetchall() == []
    told = defaultdict(list)
    rows = "SELECT entity_id, data->>'client_order_id' FROM outbox_event WHERE type = 'order.filled' ORDER BY sequence"
    for entity, number in owner.execute(rows):
        told[entity].append(int(number))
    assert all(numbers == list(range(len(numbers))) for numbers in told.values())


def test_neither_a_long_queue_nor_an_open_transaction_nor_a_lock_holds_others_up(
    relays: list[RelayProcess], owner: psycopg.Connection, database: str
) -> None:
    """One tenant has 100,000 events pending, another a transaction that holds its endpoint and an event of its own."""
    for relay in relays[1:]:
        relay.pause()  # one alone has to do
    seed = random.randrange(10**6)
    tenants = [make_tenant(f"tenant-{number}") for number in range(TENANTS)]
    endpoint = make_endpoint(tenants[0]).endpoint
    wait_until_relayed(owner)
    with psycopg.connect(databases.url("owner", database)) as open_for_long:
        open_for_long.execute("SELECT FROM webhooks_endpoint WHERE id = %s FOR UPDATE", [endpoint.id])
        multiply(make_event(tenants[1].id), LONG_QUEUE, database=database)
        started = clock.now()
        with Writers([tenant.id for tenant in tenants if tenant != tenants[1]], seed, hold=0) as writers:
            time.sleep(SECONDS)
        wait_until_relayed(owner, but=tenants[0].id)
        took = clock.now() - started
        stuck = owner.execute("SELECT count(*) FROM outbox_event WHERE sequence IS NULL").fetchone()
        assert stuck == (writers.emitted[tenants[0].id],), "the tenant with the lock waits, all of it"
    lags = lags_of_others(owner, [tenants[0].id, tenants[1].id], since=started)
    cuts = quantiles(lags, n=100)
    say(f"others: {len(lags)} events, commit to relay p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms; {took} in all")
    for relay in relays[1:]:
        relay.go_on()
    wait_until_relayed(owner)
    assert_numbered_in_order(owner)


def lags_of_others(owner: psycopg.Connection, but: list[UUID], since: object) -> list[float]:
    """Return how many milliseconds passed between emitting and relaying, of what committed at once."""
    rows = owner.execute(
        "SELECT relayed_at - occurred_at FROM outbox_event WHERE tenant_id <> ALL (%s) AND occurred_at > %s",
        [but, since],
    )
    lags: list[timedelta] = [lag for (lag,) in rows]
    return [lag.total_seconds() * 1000 for lag in lags]
