"""GET /holdings."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.conftest import client_for
from tests.factories.accounts import make_account, make_holding
from tests.factories.market import make_listing
from tests.factories.tenants import make_api_key

URL = "/api/v1/holdings"


def test_shape(acme, acme_viewer: APIClient) -> None:
    account = make_account(acme, kind="brokerage")
    make_listing("XNAS:AAPL", venue=account.provider, external_id="asset-AAPL")
    row = make_holding(
        account,
        "AAPL",
        "-1.50",
        average_price=Decimal("180.250"),
        market_value=None,
        as_of=datetime(2026, 3, 2, 12, tzinfo=UTC),
    )
    assert acme_viewer.get(URL).json() == {
        "data": [
            {
                "id": str(row.id),
                "account_id": str(account.id),
                "instrument": "XNAS:AAPL",
                "symbol": "AAPL",
                "external_id": "asset-AAPL",
                "quantity": "-1.5",
                "average_price": "180.25",
                "market_price": "190",
                "market_value": None,
                "cost_basis": "-270",
                "currency": "USD",
                "as_of": "2026-03-02T12:00:00Z",
            }
        ],
        "next_cursor": None,
    }


def test_an_asset_that_the_accounts_own_venue_does_not_list_has_no_instrument(acme, acme_viewer: APIClient) -> None:
    make_listing("XNAS:AAPL", venue="elsewhere", external_id="asset-AAPL")
    make_holding(make_account(acme), "AAPL")
    assert acme_viewer.get(URL).json()["data"][0]["instrument"] is None


def test_filter_by_account(acme, acme_viewer: APIClient) -> None:
    first, second = make_account(acme), make_account(acme)
    held = {account.id: str(make_holding(account).id) for account in (first, second)}
    for account in (first, second):
        rows = acme_viewer.get(URL, {"account": str(account.id)}).json()["data"]
        assert [row["id"] for row in rows] == [held[account.id]]
    assert acme_viewer.get(URL, {"account": str(uuid4())}).json()["data"] == []
    assert acme_viewer.get(URL, {"account": "mine"}).status_code == 400


def test_another_tenants_holdings_do_not_show(acme, globex_admin: APIClient) -> None:
    account = make_account(acme)
    make_holding(account)
    assert globex_admin.get(URL).json()["data"] == []
    assert globex_admin.get(URL, {"account": str(account.id)}).json()["data"] == []


def test_permission_is_asked_for(acme, anonymous: APIClient) -> None:
    stranger = client_for(make_api_key(acme, scopes=["transactions:read"]))
    assert (anonymous.get(URL).status_code, stranger.get(URL).status_code) == (401, 403)


@pytest.mark.commits
def test_list_takes_a_fixed_number_of_statements(acme, acme_viewer: APIClient) -> None:
    statements = []
    for page in range(2):
        for number in range(3):
            make_holding(make_account(acme), f"S{page}{number}")
        acme_viewer.get(URL)
        with CaptureQueriesContext(connection) as captured:
            assert acme_viewer.get(URL).status_code == 200
        statements.append(len(captured))
    assert statements == [statements[0]] * 2
    assert statements[0] <= 6
