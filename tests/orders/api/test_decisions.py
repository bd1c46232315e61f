"""GET /risk/decisions."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.ids import new_id
from tests.factories.orders import Desk, make_decision, make_desk, make_order, make_trading_account

URL = "/api/v1/risk/decisions"


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def listed(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(URL, query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def test_what_the_gate_decided_is_shown_with_all_that_it_knew(desk, acme_trader: APIClient):
    body = {
        "account_id": str(desk.account.id),
        "instrument": "XNAS:AAPL",
        "side": "buy",
        "type": "limit",
        "quantity": "10",
        "limit_price": "20000",
    }
    order = acme_trader.post("/api/v1/orders", body, format="json", headers={"Idempotency-Key": "k"}).json()
    (shown,) = acme_trader.get(URL).json()["data"]
    assert (shown["order_id"], shown["account_id"]) == (order["id"], str(desk.account.id))
    assert (shown["outcome"], shown["code"]) == ("denied", "position_limit")
    assert shown["detail"] == order["denial"]["detail"] == "The position could reach 200000; the limit is 100000."
    assert (shown["request"]["quantity"], shown["request"]["limit_price"]) == ("10", "20000")
    inputs = shown["inputs"]
    assert (inputs["ask"], inputs["equity"], inputs["position"]) == ("190.02", "100000", "0")
    assert inputs["quote_venue_at"].endswith("Z")
    checks = {check["check"]: check["code"] for check in shown["checks"]}
    assert (len(checks), checks["clock"], checks["position"]) == (14, None, "position_limit")
    assert checks["concentration"] == "concentration_limit"


def test_newest_first_and_narrowed_down(desk, acme, acme_viewer: APIClient):
    order = make_order(desk)
    approved = make_decision(desk, order)
    denied = make_decision(desk, outcome="denied", code="venue_closed")
    other_desk = Desk(acme, desk.connection, make_trading_account(acme), desk.risk_account, desk.listing)
    elsewhere = make_decision(other_desk)
    assert listed(acme_viewer) == [str(row.id) for row in (elsewhere, denied, approved)]
    assert listed(acme_viewer, outcome="denied") == [str(denied.id)]
    assert listed(acme_viewer, order=order.id) == [str(approved.id)]
    assert listed(acme_viewer, account=elsewhere.account_id) == [str(elsewhere.id)]
    assert listed(acme_viewer, account=new_id()) == []
    assert acme_viewer.get(URL, {"outcome": "perhaps"}).json()["code"] == "validation_failed"


def test_nobody_elses(desk, globex, globex_admin: APIClient):
    decision = make_decision(desk)
    for query in ({}, {"account": decision.account_id}):
        assert listed(globex_admin, **query) == []


def test_more_rows_cost_no_more_queries(desk, acme_viewer: APIClient):
    counts = []
    for more in (1, 20):
        for _row in range(more):
            make_decision(desk)
        with CaptureQueriesContext(connection) as captured:
            listed(acme_viewer)
        counts.append(len(captured))
    assert counts == [7, 7]
