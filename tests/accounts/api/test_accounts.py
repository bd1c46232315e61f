"""GET /accounts and GET /accounts/{id}."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.conftest import client_for
from tests.factories.accounts import make_account
from tests.factories.tenants import make_api_key

URL = "/api/v1/accounts"


def test_account_shows_both_balances_and_their_difference(acme, acme_viewer: APIClient) -> None:
    account = make_account(
        acme,
        external_id="acc_1",
        opening_balance=Decimal("100.50"),
        posted_total=Decimal("-20.25"),
        provider_balance=Decimal("90.00"),
        provider_available=Decimal("80.00"),
        provider_balance_as_of=datetime(2026, 3, 2, 11, 59, 58, tzinfo=UTC),
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        updated_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    answer = acme_viewer.get(f"{URL}/{account.id}")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(account.id),
        "connection_id": str(account.connection_id),
        "provider": "teller",
        "external_id": "acc_1",
        "name": "Everyday Checking",
        "kind": "depository",
        "subtype": "checking",
        "mode": "live",
        "currency": "USD",
        "last_four": "4242",
        "institution": "Bank of Many",
        "balance": {
            "ours": "80.25",
            "provider": "90",
            "drift": "9.75",
            "available": "80",
            "as_of": "2026-03-02T11:59:58Z",
        },
        "status": "open",
        "version": 1,
        "created_at": "2026-03-01T00:00:00Z",
        "updated_at": "2026-03-02T00:00:00Z",
    }


def test_unknown_balance_is_null(acme, acme_viewer: APIClient) -> None:
    account = make_account(acme)
    balance = acme_viewer.get(f"{URL}/{account.id}").json()["balance"]
    assert balance == {"ours": "0", "provider": None, "drift": None, "available": None, "as_of": None}


def test_list_is_newest_first_in_pages(acme, acme_viewer: APIClient) -> None:
    ids = [str(make_account(acme).id) for _n in range(3)][::-1]
    first = acme_viewer.get(URL, {"limit": 2}).json()
    second = acme_viewer.get(URL, {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["id"] for row in first["data"] + second["data"]] == ids
    assert second["next_cursor"] is None


def test_another_tenants_account_is_not_found(acme, globex_admin: APIClient) -> None:
    account = make_account(acme)
    assert globex_admin.get(URL).json()["data"] == []
    assert globex_admin.get(f"{URL}/{account.id}").status_code == 404
    assert globex_admin.get(f"{URL}/{uuid4()}").json()["code"] == "not_found"


def test_permission_is_asked_for(acme, anonymous: APIClient) -> None:
    account = make_account(acme)
    stranger = client_for(make_api_key(acme, scopes=["transactions:read"]))
    for url in (URL, f"{URL}/{account.id}"):
        assert anonymous.get(url).status_code == 401
        assert stranger.get(url).status_code == 403


@pytest.mark.commits
def test_list_takes_a_fixed_number_of_statements(acme, acme_viewer: APIClient) -> None:
    statements = []
    for _page in range(2):
        for _row in range(3):
            make_account(acme)
        acme_viewer.get(URL)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert acme_viewer.get(URL).status_code == 200
        statements.append(len(captured))
    assert statements == [statements[0]] * 2
    assert statements[0] <= 6
