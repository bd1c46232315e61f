"""GET /transactions, GET and PATCH /transactions/{id}."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.api.rows import answer_columns, answer_rows
from apps.accounts.api.serializers import AccountSerializer, BalanceSerializer, TransactionSerializer
from apps.accounts.events import account_data, transaction_data
from apps.accounts.models import Account, Transaction
from apps.audit.models import AuditEntry
from apps.core.api.renderers import to_json
from apps.core.canonical import jsonable
from apps.core.scope import tenant_scope
from apps.outbox.models import OutboxEvent
from tests.conftest import client_for
from tests.factories.accounts import make_account, make_transaction, make_transactions
from tests.factories.tenants import make_api_key

URL = "/api/v1/transactions"


@pytest.fixture
def account(acme) -> Account:
    return make_account(acme)


def found(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(URL, query)
    assert answer.status_code == 200, answer.content
    return [row["external_id"] for row in answer.json()["data"]]


def test_transaction_has_the_promised_shape(account: Account, acme_viewer: APIClient) -> None:
    at = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    old = make_transaction(account, status="removed")
    row = make_transaction(
        account,
        "-12.300",
        external_id="txn_1",
        category_override="team",
        replaces=old,
        created_at=at,
        updated_at=at,
    )
    expected = {
        "id": str(row.id),
        "account_id": str(account.id),
        "external_id": "txn_1",
        "amount": "-12.3",
        "currency": "USD",
        "date": "2026-03-01",
        "description": "TRADER JOE S #542",
        "counterparty": "TRADER JOE'S",
        "category": "team",
        "note": None,
        "status": "posted",
        "replaces": str(old.id),
        "version": 1,
        "created_at": "2026-03-01T08:30:00Z",
        "updated_at": "2026-03-01T08:30:00Z",
    }
    single = acme_viewer.get(f"{URL}/{row.id}")
    assert single.json() == expected
    assert single["ETag"] == '"1"'
    assert acme_viewer.get(URL).json() == {"data": [expected], "next_cursor": None}


@pytest.mark.parametrize("amount", ["0", "100", "-0.000000000000000001", "12345678901234567890.123456789012345678"])
def test_list_single_and_event_agree_to_the_byte(account: Account, acme_viewer: APIClient, amount: str) -> None:
    row = make_transaction(account, amount, counterparty="", provider_category="", note='ü\n"')
    with tenant_scope(account.tenant_id):
        row.refresh_from_db()
    expected = to_json(transaction_data(row))
    assert acme_viewer.get(f"{URL}/{row.id}").content == expected
    assert acme_viewer.get(URL).content == b'{"data":[' + expected + b'],"next_cursor":null}'
    assert jsonable(transaction_data(row))["amount"] == amount


def test_the_document_describes_what_list_single_and_event_carry(account: Account) -> None:
    row = make_transaction(account)
    with tenant_scope(account.tenant_id):
        [listed] = answer_rows(list(answer_columns(Transaction.objects.all())))
    assert list(TransactionSerializer().fields) == list(transaction_data(row)) == list(listed)
    documented, balance = AccountSerializer(), BalanceSerializer()
    assert list(documented.fields) == list(account_data(account))
    assert list(balance.fields) == list(account_data(account)["balance"])


def test_list_is_newest_first_and_pages_without_gap_or_repeat(account: Account, acme_viewer: APIClient) -> None:
    rows = [make_transaction(account, date=date(2026, 3, 1 + n % 3)) for n in range(7)]
    expected = [row.external_id for row in sorted(rows, key=lambda row: (row.date, row.id), reverse=True)]
    seen, cursor = [], None
    while True:
        page = acme_viewer.get(URL, {"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [row["external_id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        make_transaction(account, date=date(2026, 3, 9))  # what is added on top does not move the pages below
    assert seen == expected


def test_filters_narrow_down(acme, account: Account, acme_viewer: APIClient) -> None:
    other = make_account(acme)
    make_transaction(account, external_id="early", date=date(2026, 2, 1))
    make_transaction(account, external_id="late", date=date(2026, 3, 1), status="pending")
    make_transaction(other, external_id="other", date=date(2026, 2, 15))
    make_transaction(account, external_id="gone", date=date(2026, 2, 10), status="removed")
    assert found(acme_viewer) == ["late", "other", "early"]
    assert found(acme_viewer, account=account.id) == ["late", "early"]
    assert found(acme_viewer, since="2026-02-15") == ["late", "other"]
    assert found(acme_viewer, until="2026-02-15") == ["other", "early"]
    assert found(acme_viewer, since="2026-02-15", until="2026-02-15") == ["other"]
    assert found(acme_viewer, status="pending") == ["late"]
    assert found(acme_viewer, status="removed") == ["gone"]
    assert found(acme_viewer, account=uuid4()) == []


def test_search_finds_text_in_description_counterparty_and_note(account: Account, acme_viewer: APIClient) -> None:
    make_transaction(account, external_id="d", description="SQ *BLUE HERON", counterparty="")
    make_transaction(account, external_id="c", description="x", counterparty="Blue Bottle")
    make_transaction(account, external_id="n", description="x", counterparty="", note="the blue one")
    make_transaction(account, external_id="z", description="100% off_er \\", counterparty="")
    assert sorted(found(acme_viewer, search="bLuE")) == ["c", "d", "n"]
    assert found(acme_viewer, search="heron", status="posted") == ["d"]
    assert found(acme_viewer, search="heron", status="pending") == []


@pytest.mark.parametrize(("term", "ids"), [("%", ["z"]), ("_", ["z"]), ("\\", ["z"]), ("0% O", ["z"]), ("x%x", [])])
def test_search_takes_the_term_literally(account: Account, acme_viewer: APIClient, term: str, ids: list[str]) -> None:
    make_transaction(account, external_id="z", description="100% off_er \\", counterparty="")
    make_transaction(account, external_id="y", description="plain xyx", counterparty="")
    assert found(acme_viewer, search=term) == ids


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"sort": "amount"}, "unknown_query_parameter"),
        ({"account": "1"}, "validation_failed"),
        ({"since": "yesterday"}, "validation_failed"),
        ({"status": "gone"}, "validation_failed"),
        ({"search": "x" * 101}, "validation_failed"),
        ({"limit": 201}, "validation_failed"),
        ({"cursor": "nonsense"}, "invalid_cursor"),
    ],
)
def test_bad_query_is_named(acme_viewer: APIClient, query: dict[str, str], code: str) -> None:
    answer = acme_viewer.get(URL, query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_another_tenants_rows_do_not_exist(account: Account, globex_admin: APIClient) -> None:
    row = make_transaction(account)
    assert found(globex_admin) == found(globex_admin, search="TRADER") == found(globex_admin, account=account.id) == []
    assert globex_admin.get(f"{URL}/{row.id}").status_code == 404
    # Not theirs is decided before the body is looked at.
    answer = globex_admin.patch(f"{URL}/{row.id}", {"category": 7, "nonsense": 1}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    with tenant_scope(account.tenant_id):
        row.refresh_from_db()
    assert (row.version, row.category_override) == (1, "")


def test_permissions_are_asked_for(account: Account, anonymous: APIClient, acme_viewer: APIClient, acme) -> None:
    row = make_transaction(account)
    stranger = client_for(make_api_key(acme, scopes=["accounts:read"]))
    for url in (URL, f"{URL}/{row.id}"):
        assert anonymous.get(url).status_code == 401
        assert stranger.get(url).status_code == 403
    assert acme_viewer.patch(f"{URL}/{row.id}", {"note": "x"}, format="json").status_code == 403
    with tenant_scope(account.tenant_id):
        row.refresh_from_db()
    assert row.note == ""


def test_patch_sets_the_clients_words(account: Account, acme_admin: APIClient) -> None:
    row = make_transaction(account)
    answer = acme_admin.patch(f"{URL}/{row.id}", {"category": "team", "note": "with Ana"}, format="json")
    assert answer.status_code == 200
    assert (answer.json()["category"], answer.json()["note"], answer.json()["version"]) == ("team", "with Ana", 2)
    assert answer["ETag"] == '"2"'
    assert acme_admin.get(f"{URL}/{row.id}").content == answer.content
    with tenant_scope(account.tenant_id):
        leaf = AuditEntry.objects.get(target_id=str(row.id))
        event = OutboxEvent.objects.get(entity_id=row.id)
    assert (leaf.actor["kind"], leaf.request_id) == ("api_key", answer["X-Request-ID"])
    assert leaf.changes == {
        "category": ["", "team"],
        "note": ["", "with Ana"],
        "batch": {"count": 1, "merkle_root": leaf.changes["batch"]["merkle_root"]},
    }
    proof = acme_admin.get(f"/api/v1/audit/entries/{leaf.id}/rows/{row.id}").json()
    assert proof["row_hash"] == proof["batch_root"] == leaf.changes["batch"]["merkle_root"]
    assert (event.type, event.data) == ("transaction.updated", answer.json())


def test_patch_of_null_takes_the_words_back(account: Account, acme_admin: APIClient) -> None:
    row = make_transaction(account, category_override="team", note="with Ana")
    answer = acme_admin.patch(f"{URL}/{row.id}", {"category": None, "note": None}, format="json").json()
    assert (answer["category"], answer["note"]) == ("groceries", None)


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ('"1"', 200),
        ("1", 200),
        ("*", 200),
        ('"2"', 412),
        ("2", 412),
        ('"1', 412),
        ('1"', 412),
        ('""1""', 412),
        ('W/"1"', 412),
        ("+1", 412),
        ("01", 412),
        ("nonsense", 412),
    ],
)
def test_patch_heeds_if_match(account: Account, acme_admin: APIClient, match: str, status: int) -> None:
    row = make_transaction(account)
    answer = acme_admin.patch(f"{URL}/{row.id}", {"note": "x"}, format="json", HTTP_IF_MATCH=match)
    assert answer.status_code == status
    with tenant_scope(account.tenant_id):
        row.refresh_from_db()
        assert OutboxEvent.objects.filter(entity_id=row.id).count() == (status == 200)
    assert row.note == ("x" if status == 200 else "")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": "1"}, "amount"),
        ({"category": "x" * 101}, "category"),
        ({"note": "x" * 2001}, "note"),
        ({"note": "a\x00b"}, "note"),
        ({"note": ["x"]}, "note"),
    ],
)
def test_bad_body_is_named(account: Account, acme_admin: APIClient, body: dict[str, Any], field: str) -> None:
    row = make_transaction(account)
    answer = acme_admin.patch(f"{URL}/{row.id}", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_patch_of_a_removed_one_is_refused(account: Account, acme_admin: APIClient) -> None:
    old = make_transaction(account, status="removed")
    new = make_transaction(account, replaces=old)
    answer = acme_admin.patch(f"{URL}/{old.id}", {"note": "x"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "transaction_removed")
    assert answer.json()["replaced_by"] == str(new.id)


@pytest.mark.commits
def test_list_takes_a_fixed_number_of_statements(account: Account, acme_viewer: APIClient) -> None:
    statements = []
    for size in (1, 60):
        make_transactions(account, size) if size > 1 else make_transaction(account)
        acme_viewer.get(URL)
        with CaptureQueriesContext(connection) as captured:
            assert acme_viewer.get(URL, {"limit": 50}).status_code == 200
        statements.append([query["sql"] for query in captured])
    assert len(statements[0]) == len(statements[1]) <= 6, statements
    [listing] = [sql for sql in statements[1] if "accounts_transaction" in sql]
    assert "LIMIT 51" in listing
