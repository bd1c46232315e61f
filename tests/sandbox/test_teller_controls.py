"""The Teller twin's test controls."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Bank
from tests.sandbox.test_teller_api import cents, error_of, money
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.no_database


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_an_added_row_is_pending_and_the_newest(bank: Bank) -> None:
    client = bank("add")
    account = client.account()
    before = client.get(f"/accounts/{account}/balances").json()
    row = client.steer(account, "add", amount="-12.3", description="PAPER CLIPS", category="office")
    assert row["amount"] == "-12.30"
    assert (row["status"], row["date"], row["running_balance"]) == ("pending", today(), None)
    assert row["details"]["category"] == "office"
    assert client.rows(account, count=1) == [row]
    after = client.get(f"/accounts/{account}/balances").json()
    assert after["ledger"] == before["ledger"]
    assert cents(after["available"]) == cents(before["available"]) - 1230


@pytest.mark.parametrize("new_id", [True, False])
def test_posting_moves_a_row_under_a_new_or_the_same_id(bank: Bank, new_id: bool) -> None:
    client = bank(f"post-{new_id}")
    account = client.account("credit_card")
    ledger = cents(client.get(f"/accounts/{account}/balances").json()["ledger"])
    pending = client.steer(account, "add", amount="50.00", transaction_id="txn_tip")
    posted = client.steer(account, "post", transaction_id="txn_tip", new_id=new_id, amount="60.00")
    assert (posted["id"] == pending["id"]) is not new_id
    assert (posted["status"], posted["amount"]) == ("posted", "60.00")
    assert posted["running_balance"] == money(ledger + 6000)
    assert client.get(f"/accounts/{account}/balances").json()["ledger"] == money(ledger + 6000)
    gone = client.get(f"/accounts/{account}/transactions/txn_tip")
    assert gone.status_code == (404 if new_id else 200)


def test_changing_a_posted_row_keeps_its_place_and_moves_the_balances_after_it(bank: Bank) -> None:
    client = bank("change")
    account = client.account()
    before = client.rows(account)
    index = next(i for i, row in enumerate(before) if i > 40 and row["status"] == "posted")
    amount = money(cents(before[index]["amount"]) - 100)
    client.steer(account, "change", transaction_id=before[index]["id"], amount=amount, description="CORRECTED")
    after = client.rows(account)
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert (after[index]["amount"], after[index]["description"]) == (amount, "CORRECTED")
    assert after[index + 1 :] == before[index + 1 :]
    for old, new in zip(before[:index], after[:index], strict=True):
        if old["status"] == "posted":
            assert cents(new["running_balance"]) == cents(old["running_balance"]) - 100


def test_a_backdated_row_takes_its_place_by_date(bank: Bank) -> None:
    client = bank("backdate")
    account = client.account()
    day = (datetime.now(UTC).date() - timedelta(days=20)).isoformat()
    row = client.steer(account, "add", amount="-5.00", status="posted", date=day)
    rows = client.rows(account, end_date=day)
    assert rows[0] == row
    state = client.state()
    assert state["balances"][account]["ledger"] == next(
        row["running_balance"] for row in state["transactions"][account] if row["status"] == "posted"
    )


def test_removing_takes_a_row_away(bank: Bank) -> None:
    client = bank("remove")
    account = client.account()
    before = client.rows(account)
    assert client.steer(account, "remove", transaction_id=before[5]["id"]) is None
    assert [row["id"] for row in client.rows(account)] == [row["id"] for row in before if row != before[5]]


def test_a_pending_row_posted_by_hand_does_not_post_again(own_sandbox: SandboxProcess, own_bank: Bank) -> None:
    client = own_bank("by-hand")
    account = client.account("credit_card")
    pending = [row for row in client.rows(account) if row["status"] == "pending"]
    posted = [client.steer(account, "post", transaction_id=row["id"]) for row in pending]
    own_sandbox.advance(4 * 86_400)
    rows = {row["id"]: row for row in client.rows(account)}
    assert all(rows[row["id"]] == row for row in posted)
    assert all(row["id"] not in rows for row in pending)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"token": "nobody"}, "token"),
    ({"token": None}, "token"),
    ({"account_id": "acc_x"}, "account_id"),
    ({"op": "explode"}, "op"),
    ({"amount": None}, "amount"),
    ({"amount": "1.234"}, "amount"),
    ({"amount": 5}, "amount"),
    ({"date": "2099-01-01"}, "date"),
    ({"date": "yesterday"}, "date"),
    ({"status": "gone"}, "status"),
    ({"colour": "red"}, "colour"),
    ({"op": "post", "amount": None}, "transaction_id"),
    ({"op": "remove", "transaction_id": "txn_x", "amount": None}, "transaction_id"),
]


@pytest.mark.parametrize(("change", "field"), BAD)
def test_a_row_that_cannot_be_is_a_400_that_names_the_field(
    sandbox: SandboxProcess, bank: Bank, change: dict[str, Any], field: str
) -> None:
    client = bank("bad")
    body = {"token": client.token, "account_id": client.account(), "op": "add", "amount": "-1.00", **change}
    before = client.state()["transactions"]
    answer = httpx.post(f"{sandbox.url}/_control/teller/transactions", verify=False, json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert client.state()["transactions"] == before


def test_a_posted_row_cannot_be_posted_nor_an_id_taken_twice(sandbox: SandboxProcess, bank: Bank) -> None:
    client = bank("twice")
    account = client.account()
    client.steer(account, "add", amount="1.00", status="posted", transaction_id="txn_a")
    for op in ("post", "add"):
        body = {"token": client.token, "account_id": account, "op": op, "amount": "1.00", "transaction_id": "txn_a"}
        answer = httpx.post(f"{sandbox.url}/_control/teller/transactions", verify=False, json=body)
        assert answer.json()["error"]["field"] == "transaction_id"


def test_a_disconnected_enrolment_answers_the_documented_404(bank: Bank, sandbox: SandboxProcess) -> None:
    client = bank("mfa")
    body = {"token": client.token, "status": "disconnected", "reason": "user_action.mfa_required"}
    sandbox.control("POST", "/teller/enrollment", **body)
    answer = client.get("/accounts")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {"code": "enrollment.disconnected.user_action.mfa_required", "message": "User MFA is required."}
    }
    assert client.state()["accounts"] != []
    sandbox.control("POST", "/teller/enrollment", token=client.token, status="disconnected")
    assert error_of(client.get("/accounts")) == (404, "enrollment.disconnected")
    sandbox.control("POST", "/teller/enrollment", token=client.token, status="revoked")
    assert error_of(client.get("/accounts")) == (403, "forbidden")
    sandbox.control("POST", "/teller/enrollment", token=client.token, status="active")
    assert client.get("/accounts").status_code == 200


def test_a_closed_account_is_listed_and_gone(bank: Bank, sandbox: SandboxProcess) -> None:
    client = bank("closed")
    account = client.account("savings")
    sandbox.control("POST", "/teller/account", token=client.token, account_id=account, status="closed")
    listed = {each["id"]: each["status"] for each in client.get("/accounts").json()}
    assert listed[account] == "closed"
    for path in ("", "/balances", "/transactions"):
        assert error_of(client.get(f"/accounts/{account}{path}")) == (410, "account.closed")
    sandbox.control("POST", "/teller/account", token=client.token, account_id=account, status="open")
    assert client.get(f"/accounts/{account}").status_code == 200


def test_the_state_is_what_the_wire_shows(bank: Bank) -> None:
    client = bank("state")
    state = client.state()
    assert state["accounts"] == client.get("/accounts").json()
    for account in state["accounts"]:
        path = f"/accounts/{account['id']}"
        assert state["balances"][account["id"]] == client.get(f"{path}/balances").json()
        assert state["transactions"][account["id"]] == client.get(f"{path}/transactions").json()
