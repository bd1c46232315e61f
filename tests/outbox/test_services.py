"""Emitting: what an event holds, and that it lives and dies with its change."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from apps.core import context
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import current_scope, staff_scope, tenant_scope, write_scope
from apps.outbox.catalogue import example
from apps.outbox.models import OutboxEvent
from apps.outbox.services import emit, emit_many
from apps.outbox.types import NewEvent
from tests.factories.outbox import make_event, new_event

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
ORDER = UUID("0198c5a0-0000-7000-8000-000000000001")
TRADER = Actor(kind="user", label="ada", tenant_id=ACME, request_id="req-1")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _event(type: str) -> NewEvent:
    return new_event(type, entity_id=ORDER)


def test_an_event_says_what_happened_to_what(now: datetime) -> None:
    with context.use(context.Context(request_id="req-1", traceparent=TRACE)):
        data = {"quantity": Decimal("10.0"), "submitted_at": now}
        event = make_event(ACME, entity_id=ORDER, data=data, actor=TRADER, now=now)
    assert (event.tenant_id, event.type, event.schema_version) == (ACME, "order.submitted", 1)
    assert (event.entity_type, event.entity_id) == ("order", ORDER)
    assert event.data == {
        **example("order.submitted"),
        "quantity": "10",
        "submitted_at": "2026-03-02T12:00:00Z",
    }
    assert event.actor == {"kind": "user", "label": "ada", "tenant_id": str(ACME), "request_id": "req-1"}
    assert (event.request_id, event.traceparent, event.occurred_at) == ("req-1", TRACE, now)
    assert (event.sequence, event.relayed_at) == (None, None)


def test_many_events_are_one_insert_in_their_order(now: datetime) -> None:
    types = ["order.submitted", "order.accepted", "order.filled"]
    with write_scope(TRADER), CaptureQueriesContext(connection) as queries:
        emit_many([_event(type) for type in types], actor=TRADER, now=now)
        assert [query["sql"].split()[:3] for query in queries] == [["INSERT", "INTO", "outbox_event"]]
        events = list(OutboxEvent.objects.order_by("position"))
    assert [event.type for event in events] == types


def test_no_events_are_no_statement(now: datetime) -> None:
    with write_scope(TRADER), CaptureQueriesContext(connection) as queries:
        emit_many([], actor=TRADER, now=now)
        scope = current_scope()
        assert scope is not None
        assert scope.wakes == set()
    assert len(queries) == 0


def test_emitting_asks_for_the_relay(now: datetime) -> None:
    with write_scope(TRADER):
        emit(_event("order.filled"), actor=TRADER, now=now)
        scope = current_scope()
        assert scope is not None
        assert scope.wakes == {"outbox"}


def test_an_event_is_of_the_scope_that_it_is_emitted_in(now: datetime) -> None:
    with pytest.raises(RuntimeError, match="outside of their actor's write scope"):
        emit_many([_event("order.filled")], actor=TRADER, now=now)
    with pytest.raises(RuntimeError, match="outside"), write_scope(TRADER.for_tenant(GLOBEX)):
        emit_many([_event("order.filled")], actor=TRADER, now=now)
    with pytest.raises(RuntimeError, match="outside"), tenant_scope(ACME):
        emit_many([_event("order.filled")], actor=TRADER, now=now)
    with pytest.raises(RuntimeError, match="outside"), staff_scope():
        emit_many([_event("order.filled")], actor=system_actor("tests"), now=now)
    with staff_scope():
        assert OutboxEvent.objects.count() == 0


def test_a_type_is_a_noun_and_a_participle(now: datetime) -> None:
    event = make_event(ACME, now=now)
    for type in ("order", "Order.filled", "order-filled"):
        event.id, event.type = new_id(), type
        with pytest.raises(IntegrityError, match="outbox_event_type_form"), write_scope(TRADER):
            event.save(force_insert=True)


def test_an_event_vanishes_with_the_change_that_failed(now: datetime) -> None:
    with pytest.raises(ZeroDivisionError), write_scope(TRADER):
        emit_many([_event("order.filled")], actor=TRADER, now=now)
        raise ZeroDivisionError
    with tenant_scope(ACME):
        assert OutboxEvent.objects.count() == 0
