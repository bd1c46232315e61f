"""GET /audit/entries: the tenant's log, newest first, each entry with a hash that anyone can recompute."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.audit.selectors import entries_for
from apps.audit.services.numbering import sequence_entries
from apps.audit.types import Personal
from apps.core.actor import Actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from tests import databases
from tests.factories.audit import make_entry, run_sequencer

URL = "/api/v1/audit/entries"
USER = UUID("0198c5a0-0000-7000-8000-000000000002")


def _get(client: APIClient, **query: Any) -> list[dict[str, Any]]:
    response = client.get(URL, query)
    assert response.status_code == 200, response.content
    data: list[dict[str, Any]] = response.json()["data"]
    return data


def test_an_entry_in_the_contracts_shape(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    order = new_id()
    trader = Actor(kind="user", label="ada", tenant_id=acme.id, user_id=USER, request_id="req-1", ip="192.0.2.7")
    entry = make_entry(acme.id, actor=trader, target_id=order, changes={"status": [None, "approved"]}, now=now)
    (shown,) = _get(acme_admin, target_id=order)
    assert shown == {
        "id": str(entry.id),
        "sequence": None,
        "tenant_id": str(acme.id),
        "schema_version": 2,
        "action": "order.submitted",
        "actor": {
            "kind": "user",
            "label": "ada",
            "tenant_id": str(acme.id),
            "user_id": str(USER),
            "request_id": "req-1",
            "ip": "192.0.2.7",
        },
        "target": {"type": "order", "id": str(order)},
        "changes": {"status": [None, "approved"]},
        "personal": entry.personal,
        "salts": {"actor": shown["salts"]["actor"]},
        "request_id": "req-1",
        "traceparent": "",
        "at": "2026-03-02T12:00:00Z",
        "leaf_hash": bytes(entry.leaf_hash).hex(),
    }


@pytest.mark.parametrize("microseconds", [0, 1, 120000])
def test_a_client_recomputes_the_leaf_hash_from_the_answer(
    acme: Any, acme_admin: APIClient, now: datetime, microseconds: int
) -> None:
    changes = {"note": [None, 'Grüße "東京" \u2028\n'], "nested": {"b": [1, -2], "a": [True, None]}}
    trader = Actor(kind="user", label="ada", tenant_id=acme.id, user_id=USER, ip="192.0.2.7")
    about = Personal(USER, {"name": [None, "Ada Lovelace, Grüße"]})
    make_entry(acme.id, actor=trader, changes=changes, personal=about, now=now + timedelta(microseconds=microseconds))
    entries = _get(acme_admin)
    for entry in entries:
        content = {name: value for name, value in entry.items() if name not in ("sequence", "leaf_hash", "salts")}
        for part, sealed in entry["personal"].items():
            members = {name: content[part].pop(name) for name in sealed["members"]}
            plaintext = bytes.fromhex(entry["salts"][part]) + rfc8785.dumps(members)
            assert sha256(plaintext).hexdigest() == sealed["digest"]
        assert sha256(b"\x00" + rfc8785.dumps(content)).hexdigest() == entry["leaf_hash"]
    assert {part for entry in entries for part in entry["salts"]} == {"actor", "changes"}


@pytest.mark.commits
def test_the_sequencer_numbers_the_log_without_a_gap(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    for _ in range(3):
        make_entry(acme.id, now=now)
    run_sequencer(now)
    sequences = sorted(entry["sequence"] for entry in _get(acme_admin))
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(sequences) >= 3


@pytest.mark.commits
def test_what_has_only_just_happened_is_listed_with_its_place_in_the_log(
    acme: Any, acme_admin: APIClient, settings: Any, now: datetime
) -> None:
    settings.AUDIT_WAIT_SECONDS, name = 20, connection.settings_dict["NAME"]
    with ThreadPoolExecutor(1) as worker:
        databases.log_in("worker", name)
        worker.submit(_connect).result()
        databases.log_in("web", name)
        make_entry(acme.id, now=now)
        sequencer = worker.submit(_number_soon, now)
        entries = _get(acme_admin)
        assert sequencer.result() == len(entries) > 0
        assert sorted(entry["sequence"] for entry in entries) == list(range(1, len(entries) + 1))


def _connect() -> None:
    connection.ensure_connection()


def _number_soon(now: datetime) -> int:
    try:
        time.sleep(0.05)
        return sequence_entries(now=now)
    finally:
        connection.close()


def test_entries_come_newest_first_page_by_page(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    order = new_id()
    made = [make_entry(acme.id, target_id=order, now=now + timedelta(seconds=number // 2)) for number in range(5)]
    query: dict[str, Any] = {"target_id": order, "limit": 2}
    seen = []
    for _ in range(3):
        page = acme_admin.get(URL, query).json()
        seen += [entry["id"] for entry in page["data"]]
        query["cursor"] = page["next_cursor"]
    assert seen == [str(entry.id) for entry in reversed(made)]
    assert query["cursor"] is None


def test_every_filter_narrows(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    order, account = new_id(), new_id()
    trader = Actor(kind="user", label="ada", tenant_id=acme.id, user_id=USER)
    first = make_entry(acme.id, target_id=order, now=now)
    second = make_entry(acme.id, action="order.filled", target_id=order, actor=trader, now=now + timedelta(hours=1))
    third = make_entry(
        acme.id, action="account.closed", target_type="account", target_id=account, now=now + timedelta(hours=2)
    )

    def shown(**query: Any) -> list[UUID]:
        return [UUID(entry["id"]) for entry in _get(acme_admin, **query)]

    assert shown(target_id=order) == [second.id, first.id]
    assert shown(target_type="account") == [third.id]
    assert shown(action="order.filled") == [second.id]
    assert shown(actor=USER) == [second.id]
    assert shown(since="2026-03-02T13:00:00Z", until="2026-03-02T14:00:00Z") == [second.id]
    assert shown(target_id=order, until="2026-03-02T13:00:00Z") == [first.id]


def test_another_tenants_log_and_the_installations_are_not_shown(
    acme: Any, globex: Any, acme_admin: APIClient, globex_admin: APIClient
) -> None:
    entry = make_entry(globex.id)
    assert _get(acme_admin, target_id=entry.target_id) == []
    assert len(_get(globex_admin, target_id=entry.target_id)) == 1
    assert {shown["tenant_id"] for shown in _get(acme_admin)} == {str(acme.id)}


@pytest.mark.parametrize("query", [{"colour": "red"}, {"actor": "ada"}, {"since": "yesterday"}])
def test_a_malformed_query_is_refused(acme_admin: APIClient, query: dict[str, str]) -> None:
    assert acme_admin.get(URL, query).status_code == 400


def test_the_log_needs_its_permission(anonymous: APIClient, acme_viewer: APIClient, acme_trader: APIClient) -> None:
    assert anonymous.get(URL).status_code == 401
    for client in (acme_viewer, acme_trader):
        refused = client.get(URL)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_a_page_is_one_query_however_many_entries(acme: Any, acme_admin: APIClient) -> None:
    counts = []
    for _ in range(2):
        make_entry(acme.id)
        with CaptureQueriesContext(connection) as queries:
            assert acme_admin.get(URL).status_code == 200
        counts.append(sum('FROM "audit_entry"' in query["sql"] for query in queries.captured_queries))
    assert counts == [1, 1]


# 20 tenants with 1,000 entries each, of 50 actions, 100 actors and 200 targets: the planner has a reason.
FILL = """
INSERT INTO audit_entry (id, tenant_id, action, actor, actor_id, target_type, target_id, changes, personal, request_id,
                         traceparent, at, schema_version, leaf_hash, sequence)
SELECT gen_random_uuid(), lpad(to_hex(n % 20 + 1), 32, '0')::uuid, 'order.type_' || n / 20 % 50, '{}',
       lpad(to_hex(n / 20 % 100), 32, '0')::uuid, 'order', (n / 20 % 200)::text, '{}', '{}', '', '',
       now() - n * interval '1 second', 1, '', n / 20 + 1
FROM generate_series(0, 19999) AS n
"""
INDEXED: list[tuple[dict[str, Any], str]] = [
    ({}, "audit_entry_at"),
    ({"action": "order.type_7"}, "audit_entry_action_at"),
    ({"actor_id": UUID(int=7)}, "audit_entry_actor_at"),
    ({"target_id": "7"}, "audit_entry_target_at"),
    ({"target_type": "order", "target_id": "7"}, "audit_entry_target_at"),
]


@pytest.mark.commits
def test_a_page_reads_one_range_of_an_index(database: str) -> None:
    with databases.as_owner(database) as owner:
        owner.execute(FILL)
        owner.execute("ANALYZE audit_entry")
    tenant_id = UUID(int=1)
    for filters, index in INDEXED:
        with tenant_scope(tenant_id), connection.cursor() as cursor:
            # A few rows are as well sorted; the question is whether the index could give a page in its order.
            cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
            plan = entries_for(tenant_id=tenant_id, **filters).order_by("-at", "-id")[:50].explain()
        assert f"Index Scan Backward using {index}" in plan
        assert "Sort" not in plan
