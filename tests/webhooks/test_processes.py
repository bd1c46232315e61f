"""Real workers that are killed and that share a queue: nothing is lost, and what comes twice has one id."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from celery import Celery

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.outbox.services import emit_many, relay_events
from apps.webhooks.models import Endpoint
from apps.webhooks.sending import Station
from tests import databases
from tests.databases import log_in
from tests.factories.outbox import make_event, new_event
from tests.factories.webhooks import count_deliveries, deliveries_of, make_endpoint, statuses_of
from tests.forks import Forks
from tests.jobs.worker_process import WorkerProcess
from tests.waiting import wait_until
from tests.webhooks.receiver import Answer, Received, Receiver

pytestmark = pytest.mark.worker_login


@pytest.fixture
def worker(process_environment: dict[str, str], tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker with two children, each of which may be sending."""
    with WorkerProcess(process_environment, tmp_path / "worker.log", app="finops.celery") as process:
        yield process


@contextmanager
def hints(environment: dict[str, str]) -> Iterator[Celery]:
    """Send the worker's tasks as beat and the relay do."""
    with Celery("web", broker=environment["REDIS_URL"]) as sender:
        yield sender


def hint(sender: Celery) -> None:
    sender.send_task("webhooks.deliver", queue="webhooks", retry=False, ignore_result=True)


def queue(tenant, url: str, count: int, *, entities: int) -> Endpoint:
    endpoint = make_endpoint(tenant, url).endpoint
    ids = [new_id() for _ in range(entities)]
    for number in range(count):
        make_event(tenant.id, entity_id=ids[number % entities], data={"client_order_id": str(number)})
    while relay_events(now=clock.now()):
        pass
    return endpoint


def let_leases_end(database: str) -> None:
    """Let half a minute pass: what a killed sender held is free again."""
    with databases.as_owner(database) as owner:
        owner.execute("UPDATE webhooks_delivery SET leased_until = now() WHERE leased_until IS NOT NULL")


def all_succeeded(endpoint: Endpoint, count: int) -> bool:
    return statuses_of(endpoint) == ["succeeded"] * count


@pytest.mark.prove
def test_two_senders_share_a_queue_and_one_that_is_told_to_stop_settles_what_is_on_the_wire(
    acme, globex, worker: WorkerProcess, process_environment: dict[str, str]
) -> None:
    with Receiver(Answer(delay=0.01)) as receiver, hints(process_environment) as sender:
        endpoint = queue(acme, receiver.url, 150, entities=30)
        for _ in range(2):
            hint(sender)
        wait_until(lambda: all_succeeded(endpoint, 150), what="all deliveries", seconds=60)
    assert Counter(receiver.ids) == Counter(str(delivery.id) for delivery in deliveries_of(endpoint))
    by_entity: dict[str, list[int]] = {}
    entities = {str(delivery.id): str(delivery.entity_id) for delivery in deliveries_of(endpoint)}
    for received in receiver.received:
        by_entity.setdefault(entities[received.id], []).append(received.sequence)
    assert all(sequences == sorted(sequences) for sequences in by_entity.values())

    with Receiver(Answer(delay=1.5)) as receiver, hints(process_environment) as sender:
        endpoint = queue(globex, receiver.url, 20, entities=20)
        hint(sender)
        wait_until(lambda: len(receiver.received) >= 2, what="requests on the wire")
        assert worker.terminate() == 0
    count = len(receiver.received)
    assert sorted(statuses_of(endpoint)) == ["pending"] * (20 - count) + ["succeeded"] * count
    assert [delivery.leased_until for delivery in deliveries_of(endpoint)] == [None] * 20


def send(database: str) -> None:
    """Be a worker's sender, for as long as anybody lets it."""
    log_in("worker", database)
    Station(stopping=lambda: False).poke()
    time.sleep(60)


def test_what_a_killed_sender_held_is_sent_again_with_the_same_id(acme, forks: Forks, database: str) -> None:
    with Receiver(Answer(delay=20)) as receiver:
        endpoint = queue(acme, receiver.url, 6, entities=3)
        sender = forks.start(send, database)
        wait_until(lambda: len(receiver.received) >= 2, what="two requests on the wire")
        forks.kill(sender)
        receiver.answer, held = Answer(), list(receiver.ids)
        assert statuses_of(endpoint) == ["pending"] * 6
        leased = [str(delivery.id) for delivery in deliveries_of(endpoint) if delivery.leased_until]
        assert set(held) <= set(leased)
        let_leases_end(database)
        sender = forks.start(send, database)
        wait_until(lambda: all_succeeded(endpoint, 6), what="all deliveries")
        forks.kill(sender)
    ids = [str(delivery.id) for delivery in deliveries_of(endpoint)]
    assert Counter(receiver.ids) == Counter([*ids, *held])
    require_order(endpoint, receiver.received)
    assert len({(received.id, received.body) for received in receiver.received}) == 6
    assert [delivery.attempt_count for delivery in deliveries_of(endpoint)] == [1] * 6


def queue_many(tenants, url: str, count: int, *, entities: int) -> list[Endpoint]:
    """Queue `count` deliveries for an endpoint of each tenant, about as many entities each."""
    endpoints = [make_endpoint(tenant, url).endpoint for tenant in tenants]
    for tenant in tenants:
        ids = [new_id() for _ in range(entities)]
        actor = system_actor("tests", tenant_id=tenant.id)
        with write_scope(actor):
            news = [new_event(entity_id=ids[number % entities]) for number in range(count)]
            emit_many(news, actor=actor, now=clock.now())
    while relay_events(now=clock.now()):
        pass
    return endpoints


def require_order(endpoint: Endpoint, received: list[Received]) -> None:
    """Check that of each entity nothing came before what stands before it; the same may come twice."""
    entities = {str(delivery.id): delivery.entity_id for delivery in deliveries_of(endpoint)}
    lanes: dict[UUID, list[int]] = {}
    for one in received:
        if one.id in entities:
            lanes.setdefault(entities[one.id], []).append(one.sequence)
    assert all(sequences == sorted(sequences) for sequences in lanes.values())


@pytest.mark.prove
def test_nothing_is_lost_in_a_storm_of_kills(
    acme, globex, worker: WorkerProcess, process_environment: dict[str, str], database: str
) -> None:
    """20,000 deliveries, and the senders killed as long as any are left: nothing lost, one id each, in order."""
    seed, count, kills = time.time_ns() % 1_000_000, 10_000, 0
    dice = random.Random(seed)
    with Receiver() as receiver, hints(process_environment) as sender:
        endpoints = queue_many((acme, globex), receiver.url, count, entities=700)
        while count_deliveries(status="pending") and kills < 40:
            hint(sender)
            hint(sender)
            time.sleep(dice.uniform(0.1, 1.0))
            worker.kill()
            kills += 1
            let_leases_end(database)
            worker.start()
        hint(sender)
        for endpoint in endpoints:
            wait_until(partial(all_succeeded, endpoint, count), what="all deliveries", seconds=120)
    ids = {str(delivery.id) for endpoint in endpoints for delivery in deliveries_of(endpoint)}
    again = len(receiver.received) - 2 * count
    print(f"seed {seed}: {kills} kills, {again} requests came again")  # noqa: T201  (to run it again)
    assert kills >= 5
    assert set(receiver.ids) == ids
    assert len({(received.id, received.body) for received in receiver.received}) == len(ids) == 2 * count
    for endpoint in endpoints:
        require_order(endpoint, receiver.received)
