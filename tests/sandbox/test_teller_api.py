"""Teller's wire format: authentication, objects, paging, errors; https://teller.io/docs/api."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Bank
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.no_database
CATEGORIES = {
    "accommodation",
    "advertising",
    "bar",
    "charity",
    "clothing",
    "dining",
    "education",
    "electronics",
    "entertainment",
    "fuel",
    "general",
    "groceries",
    "health",
    "home",
    "income",
    "insurance",
    "investment",
    "loan",
    "office",
    "phone",
    "service",
    "shopping",
    "software",
    "sport",
    "tax",
    "transport",
    "transportation",
    "utilities",
}


def shape(value: Any) -> Any:
    """Return the keys and the kinds of values of a JSON value."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    return type(value).__name__


def error_of(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    return answer.status_code, body["error"]["code"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (401, "unauthorized")),
        ({"Authorization": "Bearer test_tkn_acme"}, (401, "unauthorized")),
        ({"Authorization": "Basic"}, (401, "unauthorized")),
        ({"Authorization": "Basic dGVzdF90a25fYWNtZQ=="}, (403, "forbidden")),  # no colon
        ({"Authorization": "Basic dGVzdF90a25fYWNtZTp4"}, (403, "forbidden")),  # a password
        ({"Authorization": "Basic bm9ib2R5Og=="}, (403, "forbidden")),  # another token
        ({"Authorization": "Basic !"}, (403, "forbidden")),
    ],
)
def test_a_request_needs_a_token_of_an_enrolment(
    sandbox: SandboxProcess, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert error_of(httpx.get(f"{sandbox.url}/teller/accounts", verify=False, headers=headers)) == expected


def test_accounts_are_of_three_kinds_and_link_to_where_they_were_asked(bank: Bank, sandbox: SandboxProcess) -> None:
    accounts = bank("acme").get("/accounts", headers={"Teller-Version": "2020-10-12"}).json()
    assert [account["subtype"] for account in accounts][:3] == ["checking", "savings", "credit_card"]
    assert [account["type"] for account in accounts][:3] == ["depository", "depository", "credit"]
    for account in accounts:
        url = f"{sandbox.url}/teller/accounts/{account['id']}"
        assert account["links"]["self"] == url
        assert account["links"]["transactions"] == f"{url}/transactions"
        assert ("details" in account["links"]) == (account["type"] == "depository")
        assert bank("acme").get(url).json() == account


def test_enrolments_share_nothing(bank: Bank) -> None:
    ids = [{row["id"] for rows in bank(label).state()["transactions"].values() for row in rows} for label in "ab"]
    assert len(ids[0]) > 500
    assert not ids[0] & ids[1]
    assert error_of(bank("a").get(f"/accounts/{bank('b').account()}")) == (404, "not_found")


def test_details_belong_to_depository_accounts(bank: Bank) -> None:
    client = bank("acme")
    account = client.get("/accounts").json()[0]
    details = client.get(f"/accounts/{account['id']}/details").json()
    assert details["account_number"].endswith(account["last_four"])
    assert len(details["routing_numbers"]["ach"]) == 9
    assert error_of(client.get(f"/accounts/{client.account('credit_card')}/details")) == (404, "not_found")


def test_objects_have_the_documented_shapes(bank: Bank, realdata: Path) -> None:
    client = bank("acme")
    card = client.account("credit_card")
    recorded = {path.stem: json.loads(path.read_text()) for path in (realdata / "recordings/teller").glob("*.json")}
    assert shape(client.get(f"/accounts/{card}").json()) == shape(recorded["docs_accounts_list"][0])
    assert shape(client.get(f"/accounts/{card}/balances").json()) == shape(recorded["docs_balances"])
    pending = client.steer(card, "add", amount="86.46")
    assert shape(pending) == shape(recorded["docs_transactions_list_pending"][0])
    posted = next(row for row in client.rows(card) if row["status"] == "posted")
    income = "midday_transaction_transform_income_transaction_depository"
    assert shape(posted) == shape(recorded[income])


def test_the_balances_follow_from_the_transactions(bank: Bank) -> None:
    state = bank("balances").state()
    for account_id, rows in state["transactions"].items():
        posted = [row for row in rows if row["status"] == "posted"]
        pending = [row for row in rows if row["status"] == "pending"]
        balance = cents(state["balances"][account_id]["ledger"])
        assert state["balances"][account_id]["available"] == money(balance + sum(cents(r["amount"]) for r in pending))
        for row in posted:
            assert cents(row["running_balance"]) == balance
            balance -= cents(row["amount"])
        assert {row["running_balance"] for row in pending} <= {None}


def test_half_a_year_of_plausible_history(bank: Bank) -> None:
    client = bank("history")
    today = datetime.now(UTC).date()
    for subtype, sign in (("checking", 1), ("credit_card", -1)):
        rows = client.rows(client.account(subtype))
        dates = [date.fromisoformat(row["date"]) for row in rows]
        assert dates == sorted(dates, reverse=True)
        assert dates[0] >= today - timedelta(days=2)
        assert timedelta(days=178) <= today - dates[-1] <= timedelta(days=183)
        assert {row["details"]["category"] for row in rows} <= CATEGORIES | {None}
        assert 350 < len(rows) < 800
        purchases = [row for row in rows if row["type"] == "card_payment"]
        assert all(cents(row["amount"]) * sign < 0 for row in purchases)
    checking = client.rows(client.account())
    assert min(cents(row["running_balance"]) for row in checking if row["running_balance"]) > 0
    assert {"payment", "transfer", "ach", "bill_payment", "card_payment"} <= {row["type"] for row in checking}


def test_pages_follow_each_other_without_gap_or_repeat(bank: Bank) -> None:
    client = bank("pages")
    account = client.account()
    everything, pages, page = client.rows(account), [], client.rows(account, count=100)
    while page:
        pages.append(page)
        page = client.rows(account, count=100, from_id=page[-1]["id"])
    assert [row for page in pages for row in page] == everything
    assert [len(page) for page in pages[:-1]] == [100] * (len(pages) - 1)


def test_dates_bound_the_list_on_both_sides(bank: Bank) -> None:
    client = bank("dates")
    account = client.account()
    everything = client.rows(account)
    first, last = everything[300]["date"], everything[100]["date"]
    within = [row for row in everything if first <= row["date"] <= last]
    assert client.rows(account, start_date=first, end_date=last) == within
    assert client.rows(account, start_date=first) == [row for row in everything if row["date"] >= first]
    assert client.rows(account, end_date=last, count=3) == within[:3]
    assert client.rows(account, start_date=first, from_id=within[10]["id"]) == [
        row for row in everything[everything.index(within[10]) + 1 :] if row["date"] >= first
    ]
    assert client.rows(account, start_date=last, end_date=first) == []
    assert client.rows(account, start_date="2099-01-01") == []


@pytest.mark.parametrize(
    "query", [{"count": "0"}, {"count": "-1"}, {"count": "ten"}, {"start_date": "2026-13-01"}, {"end_date": "20260101"}]
)
def test_a_query_that_cannot_be_is_a_400(bank: Bank, query: dict[str, str]) -> None:
    client = bank("query")
    assert error_of(client.get(f"/accounts/{client.account()}/transactions", params=query)) == (400, "bad_request")


def test_what_is_not_there_is_a_404(bank: Bank) -> None:
    client = bank("missing")
    account = client.account()
    for path in ("/nothing", "/accounts/acc_x", "/accounts/acc_x/balances", f"/accounts/{account}/transactions/txn_x"):
        assert error_of(client.get(path)) == (404, "not_found")
    answer = client.get(f"/accounts/{account}/transactions", params={"from_id": "txn_x"})
    assert error_of(answer) == (404, "not_found")


def test_a_transaction_can_be_read_alone(bank: Bank) -> None:
    client = bank("alone")
    account = client.account()
    row = client.rows(account, count=1)[0]
    assert client.get(row["links"]["self"]).json() == row


def test_deleting_an_account_and_an_enrolment(bank: Bank) -> None:
    client = bank("deleted")
    account = client.account("savings")
    assert client.delete(f"/accounts/{account}").status_code == 204
    assert error_of(client.get(f"/accounts/{account}")) == (404, "not_found")
    assert account not in {each["id"] for each in client.get("/accounts").json()}
    assert client.delete("/accounts").status_code == 204
    assert error_of(client.get("/accounts")) == (403, "forbidden")


def test_a_bulk_enrolment_has_exactly_as_many_rows_as_it_says(bank: Bank) -> None:
    client = bank("bulk20000")
    (account,) = client.get("/accounts").json()
    page = client.rows(account["id"], count=500)
    seen = {row["id"] for row in page}
    while page:
        page = client.rows(account["id"], count=500, from_id=page[-1]["id"])
        assert seen.isdisjoint(row["id"] for row in page)
        seen.update(row["id"] for row in page)
    assert len(seen) == 20_000
    assert error_of(bank("bulk9999999").get("/accounts")) == (403, "forbidden")


def cents(amount: str) -> int:
    whole, _, rest = amount.partition(".")
    assert len(rest) == 2
    return int(whole + rest)


def money(value: int) -> str:
    return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"
