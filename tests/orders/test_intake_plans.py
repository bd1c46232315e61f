"""What intake and the lists read of a long history: a few rows, by index. Judged on filled, analysed tables."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from apps.core.scope import tenant_scope
from apps.orders.enums import OrderStatus
from apps.orders.rules.states import OPEN_STATES
from apps.orders.selectors import fills_for, orders_for
from apps.orders.services.intake.reading import statements_of
from tests import databases
from tests.factories.orders import Desk, make_desk, make_fill, make_order, make_position

pytestmark = pytest.mark.commits

PAST = 5_000
_COPIES = """
    INSERT INTO orders_order SELECT copy.* FROM orders_order o, generate_series(1, %s) AS n,
        jsonb_populate_record(o, jsonb_build_object(
            'id', gen_random_uuid(), 'client_order_id', o.client_order_id || '-' || n,
            'venue_order_id', 'past-' || n, 'created_at', o.created_at - n * interval '1 minute')) AS copy
    WHERE o.client_order_id = %s
"""
_FILL_COPIES = """
    INSERT INTO orders_fill SELECT copy.* FROM orders_fill f, generate_series(1, %s) AS n,
        jsonb_populate_record(f, jsonb_build_object(
            'id', gen_random_uuid(), 'venue_execution_id', 'past-' || n)) AS copy
"""


@pytest.fixture
def desk(database: str, acme) -> Desk:
    """A desk with one open order and 5,000 that were executed long ago, whose cost the venue's figures hold."""
    desk = make_desk(acme)
    at = desk.risk_account.created_at
    past = make_order(desk, OrderStatus.FILLED, reserved=1900, accepted_at=at, client_order_id="past")
    make_fill(past, "1")
    make_order(desk, OrderStatus.ACCEPTED, reserved=1900, accepted_at=at)
    make_position(desk, "3")
    with databases.as_owner(database) as owner:
        owner.execute("SET session_replication_role = replica")  # no trigger for what is a copy
        owner.execute(_COPIES, [PAST, "past"])
        owner.execute(_FILL_COPIES, [PAST])
        owner.execute("ANALYZE")
    return desk


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes_of(inner)


def assert_little_is_read(explained: str | list[Any], tables: set[str]) -> None:
    [plan] = json.loads(explained) if isinstance(explained, str) else explained
    scans = [node for node in nodes_of(plan["Plan"]) if node.get("Relation Name") in tables]
    assert {node["Relation Name"] for node in scans} == tables
    for node in scans:
        assert node["Node Type"] != "Seq Scan", node
        assert node["Actual Rows"] + node.get("Rows Removed by Filter", 0) <= 60, node


def test_a_long_history_is_not_read(desk: Desk):
    """One database for all of it, since filling it takes its time."""
    with tenant_scope(desk.tenant.id):
        _the_gate_reads_what_is_open_and_what_is_recent(desk)
        orders, fills = orders_for(tenant_id=desk.tenant.id), fills_for(tenant_id=desk.tenant.id)
        for rows in (
            orders,
            orders.filter(account_id=desk.account.id),
            orders.filter(status__in=OPEN_STATES),
            orders.filter(client_order_id="past-77"),
        ):
            explained = rows.order_by("-id")[:51].explain(format="json", analyze=True)
            assert_little_is_read(explained, {"orders_order"})
        for page in (fills, fills.filter(account_id=desk.account.id), fills.filter(order=orders.earliest("id"))):
            explained = page.order_by("-id")[:51].explain(format="json", analyze=True)
            assert_little_is_read(explained, {"orders_fill"})


def _the_gate_reads_what_is_open_and_what_is_recent(desk: Desk) -> None:
    _lock, facts = statements_of(
        tenant_id=desk.tenant.id, account_id=desk.account.id, instrument="XNAS:AAPL", client_order_id="mine"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {facts.sql}", facts.params)
        assert_little_is_read(cursor.fetchone()[0], {"orders_order"})
