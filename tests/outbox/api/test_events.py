"""GET /events: a tenant's relayed events, as a list and as a feed."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.outbox.catalogue import example
from apps.outbox.selectors import relayed_events_for
from apps.outbox.services import relay_events
from tests import databases
from tests.factories.outbox import make_event

URL = "/api/v1/events"


def _relay(now: datetime) -> None:
    """Number what is pending, as the relay's worker login does, and come back to the web login."""
    name = connection.settings_dict["NAME"]
    databases.log_in("worker", name)
    relay_events(now=now)
    databases.log_in("web", name)


def _get(client: APIClient, **query: Any) -> list[dict[str, Any]]:
    response = client.get(URL, query)
    assert response.status_code == 200, response.content
    data: list[dict[str, Any]] = response.json()["data"]
    return data


def _pages(client: APIClient, **query: Any) -> list[int]:
    sequences: list[int] = []
    cursor: str | None = None
    for _ in range(20):
        page = client.get(URL, query | ({"cursor": cursor} if cursor else {})).json()
        sequences += [event["sequence"] for event in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return sequences
    raise AssertionError("the list does not end")


@pytest.mark.commits
def test_an_event_is_shown_once_it_is_relayed(acme: Any, acme_viewer: APIClient, now: datetime) -> None:
    order = new_id()
    event = make_event(acme.id, entity_id=order, data={"quantity": "11"}, now=now)
    assert _get(acme_viewer, type="order.submitted") == []
    _relay(now)
    (shown,) = _get(acme_viewer, type="order.submitted")
    assert shown == {
        "id": str(event.id),
        "type": "order.submitted",
        "sequence": shown["sequence"],
        "schema_version": 1,
        "entity": {"type": "order", "id": str(order)},
        "data": {**example("order.submitted"), "quantity": "11"},
        "occurred_at": "2026-03-02T12:00:00Z",
        "request_id": "",
    }


@pytest.mark.commits
def test_events_come_newest_first_and_number_without_a_gap(acme: Any, acme_viewer: APIClient, now: datetime) -> None:
    for _ in range(5):
        make_event(acme.id, now=now)
    _relay(now)
    sequences = _pages(acme_viewer, limit=2)
    assert sequences == list(range(len(sequences), 0, -1))
    assert len(sequences) >= 5


@pytest.mark.commits
def test_a_feed_comes_oldest_first_and_goes_on_behind_the_last_event_seen(
    acme: Any, acme_viewer: APIClient, now: datetime
) -> None:
    make_event(acme.id, now=now)
    _relay(now)
    seen = _pages(acme_viewer, after=0, limit=1)
    assert seen == list(range(1, len(seen) + 1))
    assert _get(acme_viewer, after=seen[-1]) == []
    late = make_event(acme.id, now=now - timedelta(days=1))
    _relay(now)
    (event,) = _get(acme_viewer, after=seen[-1])
    assert (event["id"], event["sequence"]) == (str(late.id), seen[-1] + 1)


@pytest.mark.commits
def test_filters_by_type_and_entity(acme: Any, acme_viewer: APIClient, now: datetime) -> None:
    order = new_id()
    for type in ("order.submitted", "order.filled"):
        make_event(acme.id, type=type, entity_id=order, now=now)
        make_event(acme.id, type=type, now=now)
    _relay(now)
    assert [event["type"] for event in _get(acme_viewer, entity_id=order)] == ["order.filled", "order.submitted"]
    assert [event["type"] for event in _get(acme_viewer, type="order.filled")] == ["order.filled"] * 2
    assert len(_get(acme_viewer, type="order.filled", entity_id=order)) == 1


@pytest.mark.commits
def test_another_tenants_events_are_not_shown(
    acme: Any, globex: Any, acme_viewer: APIClient, globex_admin: APIClient, now: datetime
) -> None:
    event = make_event(globex.id, now=now)
    _relay(now)
    assert _get(acme_viewer, entity_id=event.entity_id) == []
    assert len(_get(globex_admin, entity_id=event.entity_id)) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"colour": "red"}, "unknown_query_parameter"),
        ({"entity_id": "1"}, "validation_failed"),
        ({"after": "-1"}, "validation_failed"),
        ({"after": str(2**63)}, "validation_failed"),
        ({"limit": "201"}, "validation_failed"),
        ({"cursor": "nonsense"}, "invalid_cursor"),
    ],
)
def test_a_malformed_query_is_refused(acme_viewer: APIClient, query: dict[str, str], code: str) -> None:
    refused = acme_viewer.get(URL, query)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


def test_events_need_credentials_and_take_no_writes(anonymous: APIClient, acme_admin: APIClient) -> None:
    assert anonymous.get(URL).status_code == 401
    for method in ("post", "put", "patch", "delete"):
        assert getattr(acme_admin, method)(URL, {}, format="json").status_code in (403, 405)


def test_a_page_is_one_query_however_many_events(acme: Any, acme_viewer: APIClient) -> None:
    counts = []
    for _ in range(2):
        make_event(acme.id)
        with CaptureQueriesContext(connection) as queries:
            assert acme_viewer.get(URL).status_code == 200
        counts.append(sum('FROM "outbox_event"' in query["sql"] for query in queries.captured_queries))
    assert counts == [1, 1]


# 20 tenants with 1,000 events each, of 50 types and 200 entities: enough for the planner to have a reason.
FILL = """
INSERT INTO outbox_event (id, tenant_id, type, schema_version, entity_type, entity_id, data, actor, request_id,
                          traceparent, occurred_at, sequence, relayed_at)
SELECT gen_random_uuid(), lpad(to_hex(n % 20 + 1), 32, '0')::uuid, 'order.type_' || n / 20 % 50, 1, 'order',
       lpad(to_hex(n / 20 % 200), 32, '0')::uuid, '{}', '{}', '', '', now(), n / 20 + 1, now()
FROM generate_series(0, 19999) AS n
"""
INDEXED: list[tuple[dict[str, Any], str]] = [
    ({}, "outbox_event_tenant_sequence"),
    ({"type": "order.type_7"}, "outbox_event_type"),
    ({"entity_id": UUID(int=7)}, "outbox_event_entity"),
]


@pytest.mark.commits
def test_a_page_reads_one_range_of_an_index(database: str) -> None:
    with databases.as_owner(database) as owner:
        owner.execute(FILL)
        owner.execute("ANALYZE outbox_event")
    tenant_id = UUID(int=1)
    for filters, index in INDEXED:
        with tenant_scope(tenant_id), connection.cursor() as cursor:
            # A few rows are as well sorted; the question is whether the index could give a page in its order.
            cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
            plan = relayed_events_for(tenant_id=tenant_id, **filters).order_by("-sequence")[:50].explain()
        assert f"Index Scan Backward using {index}" in plan
        assert "Sort" not in plan
