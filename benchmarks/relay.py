"""Relaying events, against the barest queue there is: a loop of DELETE … RETURNING on the same rows.

Ours gives each event its sequence in its tenant, keeps the row and what refuses to change it, and asks who is to be
told: here nobody is, there are no endpoints (`webhooks` measures what comes after that). The peer forgets what it has
read; its table has the same columns, and of the indexes those two that such a queue needs. Both take batches of the
same size, in one transaction each, in one process.
"""

from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

import psycopg

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import system_scope, write_scope
from apps.core.sequencing import BATCH_ROWS
from apps.outbox.models import OutboxEvent
from apps.outbox.services import emit_many, relay_events
from apps.outbox.types import NewEvent
from benchmarks.result import Result
from benchmarks.webhooks import order_data

EVENTS = 20_000
ROUNDS = 3
TENANTS = (1, 50)

_QUEUE = """
CREATE TABLE bench_queue (LIKE outbox_event INCLUDING DEFAULTS);
ALTER TABLE bench_queue ADD PRIMARY KEY (id);
CREATE INDEX ON bench_queue (position)
"""
_TAKE = """
DELETE FROM bench_queue WHERE id IN (SELECT id FROM bench_queue ORDER BY position LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, type, entity_type, entity_id, data, occurred_at, position
"""


def relay_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure relayed events a second, of one tenant and of many, ours and the peer's in turns."""
    with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(_QUEUE)
        _relay()  # what other benchmarks left
        for number in TENANTS:
            ours, peer = list[float](), list[float]()
            for _round in range(ROUNDS):
                _emit(number)
                owner.execute("INSERT INTO bench_queue SELECT * FROM outbox_event WHERE sequence IS NULL")
                owner.execute("ANALYZE outbox_event, bench_queue")
                for rate, work in ((ours, _relay), (peer, lambda: _delete(owner))):
                    started = perf_counter()
                    assert work() == EVENTS
                    rate.append(EVENTS / (perf_counter() - started))
                _require_gapless()
            notes = [f"{number} tenants, no endpoints; batches of {BATCH_ROWS}"]
            yield Result(name=f"relay_{EVENTS}_of_{number}", unit="events/s", ours=ours, peer=peer, notes=notes)
        owner.execute("DROP TABLE bench_queue")


def _emit(tenants: int) -> None:
    ids = [new_id() for _ in range(tenants)]
    for tenant_id in ids:
        actor = system_actor("benchmark", tenant_id=tenant_id)
        data = (order_data(number) for number in range(EVENTS // tenants))
        events = [NewEvent(type="order.filled", entity_type="order", entity_id=new_id(), data=row) for row in data]
        with write_scope(actor):
            emit_many(events, actor=actor, now=clock.now())


def _relay() -> int:
    relayed = 0
    while found := relay_events(now=clock.now()):
        relayed += found
    return relayed


def _delete(owner: psycopg.Connection[Any]) -> int:
    taken = 0
    while found := owner.execute(_TAKE, [BATCH_ROWS]).fetchall():
        taken += len(found)
    return taken


def _require_gapless() -> None:
    with system_scope():
        assert not OutboxEvent.objects.filter(sequence=None).exists()
