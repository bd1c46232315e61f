"""From events to deliveries: each event once for each endpoint that asked, whatever happens around it."""

import json
import time
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import system_scope, write_scope
from apps.outbox.catalogue import example
from apps.outbox.models import OutboxEvent
from apps.outbox.services import emit_many, relay_events
from apps.tenants.models import Tenant
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import delete_endpoint, send_test_event, update_endpoint
from tests import databases
from tests.factories.outbox import make_event, new_event
from tests.factories.webhooks import count_deliveries, deliveries_of, make_endpoint, relay
from tests.outbox.relays import relaying
from tests.threads import at_once, held

pytestmark = pytest.mark.worker_login


def types_of(endpoint: Endpoint) -> list[str]:
    return [delivery.event_type for delivery in deliveries_of(endpoint)]


def test_an_event_reaches_every_endpoint_that_asked_for_it(acme, globex, now: datetime) -> None:
    everything = make_endpoint(acme, event_types=[], now=now).endpoint
    star = make_endpoint(acme, event_types=["*"], now=now).endpoint
    family = make_endpoint(acme, event_types=["order.*"], now=now).endpoint
    one = make_endpoint(acme, event_types=["order.filled"], now=now).endpoint
    other = make_endpoint(acme, event_types=["transaction.created"], now=now).endpoint
    theirs = make_endpoint(globex, event_types=[], now=now).endpoint
    relay_events(now=now)
    before = {endpoint.id: len(types_of(endpoint)) for endpoint in (everything, star, theirs)}
    relay(acme, type="order.filled", now=now)
    relay(acme, type="order.denied", now=now)
    assert types_of(everything)[before[everything.id] :] == ["order.filled", "order.denied"]
    assert types_of(star)[before[star.id] :] == ["order.filled", "order.denied"]
    assert types_of(family) == ["order.filled", "order.denied"]
    assert types_of(one) == ["order.filled"]
    assert types_of(other) == []
    assert types_of(theirs)[before[theirs.id] :] == []


def test_a_delivery_is_not_older_than_its_event(acme, now: datetime) -> None:
    """The relay has looked at its clock before the event was committed."""
    endpoint = make_endpoint(acme, now=now).endpoint
    make_event(acme.id, now=now + timedelta(milliseconds=3))
    make_event(acme.id, now=now - timedelta(milliseconds=3))
    relay_events(now=now)
    younger, older = deliveries_of(endpoint)
    assert (younger.created_at, younger.next_attempt_at) == (now + timedelta(milliseconds=3), now)
    assert (older.created_at, older.next_attempt_at) == (now, now)


def test_a_delivery_holds_what_will_be_sent(acme, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    entity_id = new_id()
    event_id = relay(acme, type="order.filled", entity_id=entity_id, data={"client_order_id": "ü"}, now=now)
    (delivery,) = deliveries_of(endpoint)
    assert json.loads(delivery.body) == {
        "type": "order.filled",
        "timestamp": "2026-03-02T12:00:00Z",
        "data": {**example("order.filled"), "client_order_id": "ü"},
    }
    assert delivery.body.startswith('{"type":"order.filled","timestamp":"2026-03-02T12:00:00Z","data":{')
    assert (delivery.event_id, delivery.entity_id) == (event_id, entity_id)
    assert (delivery.status, delivery.attempt_count, delivery.next_attempt_at) == ("pending", 0, now)
    assert (delivery.sequence, delivery.previous_id, delivery.created_at) == (1, None, now)


def test_whatever_json_an_event_holds_is_passed_on(acme, database: str, now: datetime) -> None:
    """The outbox refuses fractions that are no strings; one that got in all the same must not stop the relay."""
    endpoint = make_endpoint(acme, now=now).endpoint
    make_event(acme.id, data={"quantity": "1"}, now=now)
    with databases.as_owner(database) as owner:
        owner.execute("ALTER TABLE outbox_event DISABLE TRIGGER outbox_event_append_only")
        owner.execute("""UPDATE outbox_event SET data = '{"quantity": 1.5, "note": "\\u2028\\""}' WHERE sequence IS NULL
                            AND type = 'order.submitted'""")
    relay_events(now=now)
    (delivery,) = deliveries_of(endpoint)
    assert json.loads(delivery.body)["data"] == {"quantity": 1.5, "note": '\u2028"'}


def test_sequences_have_no_gap_and_name_the_one_before(acme, now: datetime) -> None:
    first, second = (
        make_endpoint(acme, event_types=types, now=now).endpoint for types in (["order.*"], ["order.filled"])
    )
    for type_ in ("order.submitted", "order.filled", "order.submitted", "order.filled"):
        make_event(acme.id, type=type_, now=now)
    relay_events(now=now)
    send_test_event(endpoint_id=second.id, actor=system_actor("tests", tenant_id=acme.id), now=now)
    relay(acme, type="order.filled", now=now)
    for endpoint, count in ((first, 5), (second, 4)):
        deliveries = deliveries_of(endpoint)
        assert [delivery.sequence for delivery in deliveries] == list(range(1, count + 1))
        assert [d.previous_id for d in deliveries] == [None, *[delivery.id for delivery in deliveries[:-1]]]


def test_nothing_is_queued_for_a_disabled_or_deleted_endpoint(acme, now: datetime) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    disabled, deleted, enabled = (make_endpoint(acme, now=now).endpoint for _ in range(3))
    update_endpoint(endpoint_id=disabled.id, status="disabled", actor=actor, now=now)
    delete_endpoint(endpoint_id=deleted.id, actor=actor, now=now)
    relay(acme, now=now)
    assert [len(deliveries_of(endpoint)) for endpoint in (disabled, deleted, enabled)] == [0, 0, 1]


def test_only_the_first_of_an_entity_is_due(acme, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    one, other = new_id(), new_id()
    for entity_id in (one, one, other):
        make_event(acme.id, entity_id=entity_id, now=now)
    relay_events(now=now)
    relay(acme, entity_id=other, now=now)
    assert [delivery.next_attempt_at for delivery in deliveries_of(endpoint)] == [now, None, now, None]


def test_a_transaction_that_rolls_back_delivers_nothing(acme, now: datetime) -> None:
    make_endpoint(acme, now=now)
    with pytest.raises(ZeroDivisionError), write_scope(system_actor("tests", tenant_id=acme.id)):
        _emit(acme, "rolled back")
        raise ZeroDivisionError
    relay_events(now=now)
    assert count_deliveries(event_type="order.filled") == 0


def test_an_endpoint_that_someone_has_locked_makes_its_tenant_late_and_nobody_else(acme, globex, now: datetime) -> None:
    """The batch rolls back whole: its events keep waiting for their sequence, and none is lost."""
    locked = make_endpoint(acme, now=now).endpoint
    free = make_endpoint(globex, now=now).endpoint
    relay_events(now=now)
    for tenant in (acme, globex):
        make_event(tenant.id, now=now)
    actor = system_actor("tests", tenant_id=acme.id)
    with held(lambda: write_scope(actor), lambda: Endpoint.objects.select_for_update().get(id=locked.id)):
        assert relay_events(now=now) == 1
        assert (len(deliveries_of(free)), len(deliveries_of(locked))) == (1, 0)
        with system_scope():
            assert OutboxEvent.objects.filter(tenant_id=acme.id, sequence=None).count() == 1
    assert relay_events(now=now) == 1
    assert [delivery.sequence for delivery in deliveries_of(locked)] == [1]


def test_four_relays_under_fire_queue_every_event_once_for_each_endpoint(acme, globex) -> None:
    """Writers interleave, commit late and roll back; relays run all the while; lanes keep their order."""
    endpoints = [make_endpoint(tenant).endpoint for tenant in (acme, acme, globex)]
    writers, per_writer = 4, 20
    entities = [new_id() for _ in range(writers)]

    def write(number: int) -> None:
        for count in range(per_writer):
            tenant = (acme, globex)[count % 2]
            with write_scope(system_actor("tests", tenant_id=tenant.id)):
                _emit(tenant, f"{number}.{count}", entity_id=entities[number])
                time.sleep(0.002)

    with relaying(4):
        at_once(write, range(writers))
    while relay_events(now=clock.now()):
        pass
    for endpoint in endpoints:
        _require_complete(endpoint, entities, per_writer // 2)


def _require_complete(endpoint: Endpoint, entities: list[UUID], per_entity: int) -> None:
    deliveries = deliveries_of(endpoint)
    assert [delivery.sequence for delivery in deliveries] == list(range(1, len(entities) * per_entity + 1))
    with system_scope():
        events = OutboxEvent.objects.filter(tenant_id=endpoint.tenant_id, type="order.filled").order_by("sequence")
        assert [delivery.event_id for delivery in deliveries] == list(events.values_list("id", flat=True))
    for entity_id in entities:
        lane = [delivery for delivery in deliveries if delivery.entity_id == entity_id]
        names = [int(json.loads(delivery.body)["data"]["client_order_id"].split(".")[1]) for delivery in lane]
        assert (names, len(names)) == (sorted(names), per_entity)
        assert [delivery.next_attempt_at is None for delivery in lane] == [False, *[True] * (per_entity - 1)]


def test_a_tenant_without_endpoints_costs_one_query(acme, now: datetime, django_assert_max_num_queries) -> None:
    make_event(acme.id, now=now)
    relay_events(now=now)
    make_event(acme.id, now=now)
    with django_assert_max_num_queries(20) as captured:
        relay_events(now=now)
    (asked,) = [query["sql"] for query in captured if "webhooks_" in query["sql"]]
    assert asked.startswith('SELECT 1 AS "a" FROM "webhooks_endpoint"')


def test_the_database_refuses_a_second_delivery_of_an_event(acme, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    relay(acme, now=now)
    (delivery,) = deliveries_of(endpoint)
    delivery.id, delivery.sequence = new_id(), 2
    with pytest.raises(IntegrityError, match="webhooks_delivery_once_per_event"), system_scope():
        Delivery.objects.bulk_create([delivery])


def _emit(tenant: Tenant, name: str, *, entity_id: UUID | None = None) -> None:
    event = new_event("order.filled", entity_id=entity_id, data={"client_order_id": name})
    emit_many([event], actor=system_actor("tests", tenant_id=tenant.id), now=clock.now())
