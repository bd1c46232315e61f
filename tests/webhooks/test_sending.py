"""A delivery on the wire: what a receiver gets, and what becomes of what it answers."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from apps.core import clock
from tests.factories.webhooks import attempts_of, deliveries_of, make_endpoint, relay, send_due
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.worker_login


def test_a_delivery_is_signed_as_standard_webhooks_says(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url)
        at = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
        event_id = relay(acme, type="order.filled", data={"id": "o-1", "quantity": "10", "note": "grüß"}, now=at)
        before = clock.now()
        assert send_due() == 1
    (received,) = receiver.received
    (delivery,) = deliveries_of(made.endpoint)
    assert Webhook(made.secret).verify(received.body, dict(received.headers)) == {
        "type": "order.filled",
        "timestamp": "2026-03-02T12:00:00.123456Z",
        "data": {"id": "o-1", "quantity": "10", "note": "grüß"},
    }
    assert received.path == "/hook"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["User-Agent"] == "finops"
    assert received.headers["webhook-id"] == str(delivery.id)
    assert int(before.timestamp()) <= int(received.headers["webhook-timestamp"]) <= int(clock.now().timestamp())
    assert (received.headers["finops-sequence"], received.headers["finops-previous-id"]) == ("1", "")
    assert b" " not in received.body.replace("grüß".encode(), b"")
    assert (delivery.status, delivery.event_id, delivery.event_type) == ("succeeded", event_id, "order.filled")
    assert (delivery.attempt_count, delivery.next_attempt_at, delivery.leased_until) == (1, None, None)
    (attempt,) = attempts_of(delivery)
    assert (attempt.status_code, attempt.error, attempt.response_excerpt) == (200, "", "ok")
    assert 0 <= attempt.duration_ms < 5_000
    assert before <= attempt.at <= clock.now()


def test_the_delivery_before_is_named(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url)
        for _ in range(3):
            relay(acme)
        assert send_due() == 3
    received = sorted(receiver.received, key=lambda one: one.sequence)
    assert [one.sequence for one in received] == [1, 2, 3]
    assert [one.headers["finops-previous-id"] for one in received] == ["", received[0].id, received[1].id]
    assert [str(delivery.id) for delivery in deliveries_of(made.endpoint)] == [one.id for one in received]
    assert json.loads(received[0].body)["type"] == "order.submitted"
