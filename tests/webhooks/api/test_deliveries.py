"""GET /webhooks/deliveries, one of them with its attempts, POST .../retry, GET /webhooks/event-types."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.selectors import deliveries_for
from apps.webhooks.services import delete_endpoint, send_test_event
from tests import databases
from tests.factories.webhooks import deliveries_of, fail_due, make_endpoint, relay

URL = "/api/v1/webhooks/deliveries"
pytestmark = pytest.mark.commits


def queue(tenant, database: str, count: int, now: datetime, *, types=("order.filled",), fail: bool = True) -> Endpoint:
    """Queue events for a new endpoint, each with a failed attempt, and come back as the web process."""
    endpoint = make_endpoint(tenant, now=now).endpoint
    databases.log_in("worker", database)
    for number in range(count):
        relay(tenant, type=types[number % len(types)], now=now)
    if fail:
        fail_due(now)
    databases.log_in("web", database)
    return endpoint


def test_a_delivery_with_its_attempts(acme, acme_admin, database: str, now: datetime) -> None:
    endpoint = queue(acme, database, 1, now)
    (stored,) = deliveries_of(endpoint)
    response = acme_admin.get(f"{URL}/{stored.id}")
    assert response.status_code == 200
    assert stored.next_attempt_at is not None
    assert response.json() == {
        "id": str(stored.id),
        "endpoint_id": str(endpoint.id),
        "event_id": str(stored.event_id),
        "event_type": "order.filled",
        "entity_id": str(stored.entity_id),
        "sequence": 1,
        "previous_id": None,
        "status": "pending",
        "attempts": [
            {
                "at": "2026-03-02T12:00:00Z",
                "status_code": 500,
                "duration_ms": 12,
                "error": "http_error",
                "response_excerpt": "no",
            }
        ],
        "next_attempt_at": stored.next_attempt_at.isoformat().replace("+00:00", "Z"),
        "created_at": "2026-03-02T12:00:00Z",
        "finished_at": None,
    }
    assert acme_admin.get(URL).json() == {"data": [response.json()], "next_cursor": None}


def test_the_list_is_newest_first_in_pages(acme, acme_admin, database: str, now: datetime) -> None:
    endpoint = queue(acme, database, 5, now, fail=False)
    expected = [str(delivery.id) for delivery in reversed(deliveries_of(endpoint))]
    found, cursor = [], None
    while True:
        page = acme_admin.get(URL, {"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [delivery["id"] for delivery in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == expected


def test_filters(acme, acme_admin, database: str, now: datetime) -> None:
    first = queue(acme, database, 4, now, types=("order.filled", "order.denied"))
    second = queue(acme, database, 1, now, fail=False)
    retried = deliveries_of(first)[0]
    actor = system_actor("tests", tenant_id=acme.id)
    delete_endpoint(endpoint_id=second.id, actor=actor, now=now)

    def count(**query: object) -> int:
        return len(acme_admin.get(URL, query).json()["data"])

    assert count() == 6
    assert (count(endpoint=first.id), count(endpoint=second.id), count(endpoint=new_id())) == (5, 1, 0)
    assert (count(status="pending"), count(status="discarded"), count(status="failed")) == (5, 1, 0)
    assert (count(event_type="order.denied"), count(event_type="order.lost")) == (2, 0)
    assert count(endpoint=first.id, status="pending", event_type="order.denied") == 2
    assert retried.status == "pending"
    for query in ({"status": "lost"}, {"endpoint": "x"}, {"surprise": "1"}):
        assert acme_admin.get(URL, query).status_code == 400


def test_a_retry_is_due_at_once(acme, acme_admin, database: str, now: datetime) -> None:
    endpoint = queue(acme, database, 1, now)
    (before,) = deliveries_of(endpoint)
    first, second = (acme_admin.post(f"{URL}/{before.id}/retry", HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    assert (first.status_code, first.json()["status"], second.content) == (202, "pending", first.content)
    (after,) = deliveries_of(endpoint)
    assert after.next_attempt_at != before.next_attempt_at
    assert (after.body, after.sequence) == (before.body, before.sequence)
    assert len(first.json()["attempts"]) == 1


def test_nothing_is_sent_again_to_who_was_deleted(acme, acme_admin, database: str, now: datetime) -> None:
    endpoint = queue(acme, database, 1, now)
    delete_endpoint(endpoint_id=endpoint.id, actor=system_actor("tests", tenant_id=acme.id), now=now)
    (delivery,) = deliveries_of(endpoint)
    assert acme_admin.post(f"{URL}/{delivery.id}/retry").status_code == 404
    assert deliveries_of(endpoint)[0].status == "discarded"
    assert acme_admin.get(f"{URL}/{delivery.id}").json()["status"] == "discarded"


def test_another_tenants_delivery_is_not_there(acme, globex, acme_admin, now: datetime) -> None:
    theirs = make_endpoint(globex, now=now).endpoint
    actor = system_actor("tests", tenant_id=globex.id)
    delivery = send_test_event(endpoint_id=theirs.id, actor=actor, now=now)
    for id_ in (delivery.id, new_id()):
        assert acme_admin.get(f"{URL}/{id_}").status_code == 404
        assert acme_admin.post(f"{URL}/{id_}/retry").status_code == 404
    assert acme_admin.get(URL, {"endpoint": theirs.id}).json()["data"] == []
    with tenant_scope(globex.id):
        assert Delivery.objects.get().fence == 0


def test_as_many_queries_whatever_the_number(acme, acme_admin, database: str, now: datetime) -> None:
    counts = []
    for _ in range(2):
        queue(acme, database, 3, now)
        with CaptureQueriesContext(connection) as queries:
            assert acme_admin.get(URL).status_code == 200
        asked = [query["sql"] for query in queries if "webhooks_" in query["sql"]]
        counts.append(len(asked))
        # Bodies may be large, and a list does not show them.
        assert not [sql for sql in asked if '"body"' in sql]
    assert counts == [2, 2]


# 40 endpoints with 1,000 deliveries each, of 50 types; 39 of 40 succeeded.
FILL = """
INSERT INTO webhooks_endpoint (id, tenant_id, version, created_at, updated_at, url, event_types, description, status,
                               disabled_reason, last_sequence, notices, header_names, signing, public_key,
                               api_version, forgotten_up_to, events_forgotten_up_to)
SELECT endpoint_id, tenant_id, 1, now(), now(), 'https://example.com/', '{}', '', 'enabled', '', 10000, 0, '{}',
       'symmetric', '', '2026-11-22', 0, 0
  FROM filled_endpoints;
INSERT INTO webhooks_delivery (id, tenant_id, endpoint_id, event_id, event_type, entity_id, sequence, body, status,
                               attempt_count, fence, created_at, finished_at)
SELECT gen_random_uuid(), tenant_id, endpoint_id, gen_random_uuid(), 'order.type_' || n % 50, gen_random_uuid(), n,
       '{}', CASE WHEN n % 40 = 0 THEN 'failed' ELSE 'succeeded' END, 1, 1, now(), now()
  FROM filled_endpoints, generate_series(1, 1000) AS n
"""
ENDPOINT = UUID(int=5)
INDEXED: list[tuple[dict[str, Any], str]] = [
    ({}, "webhooks_delivery_tenant_id_id"),
    ({"endpoint_id": ENDPOINT}, "webhooks_delivery_of_endpoint"),
    ({"event_type": "order.type_7"}, "webhooks_delivery_of_type"),
    ({"status": "failed"}, "webhooks_delivery_unfinished"),
]


def test_a_page_reads_one_range_of_an_index(database: str, acme) -> None:
    with databases.as_owner(database) as owner:
        owner.execute(
            "CREATE TEMPORARY TABLE filled_endpoints AS SELECT lpad(to_hex(n), 32, '0')::uuid AS endpoint_id, "
            "%s::uuid AS tenant_id FROM generate_series(1, 40) AS n",
            [acme.id],
        )
        owner.execute("SET session_replication_role = replica")  # no trigger for what is of one mould
        for statement in FILL.split(";"):
            owner.execute(statement)
        owner.execute("ANALYZE webhooks_delivery")
    for filters, index in INDEXED:
        with tenant_scope(acme.id), connection.cursor() as cursor:
            # A few rows are as well sorted; the question is whether the index could give a page in its order.
            cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
            plan = deliveries_for(tenant_id=acme.id, **filters).order_by("-id")[:50].explain()
        assert f"using {index}" in plan, plan
        assert "Sort" not in plan
