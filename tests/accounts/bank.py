"""The bank's side of a connection in the sandbox, and what our rows should look like."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from apps.accounts.enums import TransactionStatus
from apps.accounts.models import Account, Transaction
from apps.core.scope import tenant_scope
from apps.providers.models import Connection
from tests.sandbox_process import SandboxProcess

Row = tuple[str, str, Decimal, str, str, str, str, str]


class Bank:
    """One enrolment at the sandbox's Teller, `test_tkn_<label>`."""

    def __init__(self, sandbox: SandboxProcess, label: str) -> None:
        self.sandbox, self.label, self.token = sandbox, label, f"test_tkn_{label}"
        self._accounts: dict[str, str] = {}

    def state(self) -> dict[str, Any]:
        """Return the bank's truth."""
        return self.sandbox.teller_state(self.token)

    def accounts(self) -> dict[str, str]:
        """Return {subtype: account id}; an account that was given up keeps its place."""
        if not self._accounts:
            self._accounts = {account["subtype"]: account["id"] for account in self.state()["accounts"]}
        return self._accounts

    def rows(self, subtype: str = "checking", status: str = "posted") -> list[dict[str, Any]]:
        """Return an account's rows of one status as the wire shows them, newest first."""
        rows = self.state()["transactions"][self.accounts()[subtype]]
        return [row for row in rows if row["status"] == status]

    def steer(self, op: str, *, subtype: str = "checking", **fields: Any) -> dict[str, Any]:
        """Add, change, post or remove a transaction; return it as the wire shows it ({} when removed)."""
        body = {"token": self.token, "account_id": self.accounts()[subtype], "op": op, **fields}
        return self.sandbox.control("POST", "/teller/transactions", **body)["transaction"] or {}

    def add(self, amount: str, **fields: Any) -> dict[str, Any]:
        """Add a pending row dated today unless told otherwise."""
        return self.steer("add", amount=amount, **fields)

    def post(self, row: dict[str, Any], *, new_id: bool = True, **fields: Any) -> dict[str, Any]:
        """Post a pending row."""
        return self.steer("post", transaction_id=row["id"], new_id=new_id, **fields)

    def change(self, row: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Change a row in place."""
        return self.steer("change", transaction_id=row["id"], **fields)

    def remove(self, row: dict[str, Any]) -> None:
        """Take a row out."""
        self.steer("remove", transaction_id=row["id"])

    def close(self, subtype: str, status: str = "closed") -> None:
        """Close or open an account."""
        self.sandbox.control(
            "POST", "/teller/account", token=self.token, account_id=self.accounts()[subtype], status=status
        )

    def give_up(self, subtype: str) -> None:
        """Withdraw the access to one account, as its user can."""
        url = f"{self.sandbox.url}/teller/accounts/{self.accounts()[subtype]}"
        httpx.delete(url, verify=False, auth=(self.token, "")).raise_for_status()

    def calls(self, since: int) -> list[str]:
        """Return the calls that the bank received after the first `since` ones, as "METHOD path status"."""
        entries = self.sandbox.log()[since:]
        return [f"{entry['method']} {entry['path']} {entry['status']}" for entry in entries]


def expected_rows(state: dict[str, Any]) -> set[Row]:
    """Return the bank's rows in our terms: in a credit account charges are positive there and negative here."""
    credit = {account["id"] for account in state["accounts"] if account["type"] == "credit"}
    return {
        (
            account_id,
            row["id"],
            -Decimal(row["amount"]) if account_id in credit else Decimal(row["amount"]),
            row["date"],
            row["description"],
            row["details"]["counterparty"]["name"] or "",
            row["details"]["category"] or "",
            row["status"],
        )
        for account_id, rows in state["transactions"].items()
        for row in rows
    }


def our_rows(connection: Connection) -> set[Row]:
    """Return our rows, the removed ones aside; call it in the tenant's scope."""
    rows = Transaction.objects.filter(account__connection=connection).exclude(status=TransactionStatus.REMOVED)
    return {
        (
            row.account.external_id,
            row.external_id,
            row.amount,
            row.date.isoformat(),
            row.description,
            row.counterparty,
            row.provider_category,
            row.status,
        )
        for row in rows.select_related("account")
    }


def kept_totals(connection: Connection) -> dict[UUID, Decimal]:
    """Return what each account is said to add up to."""
    return dict(Account.objects.filter(connection=connection).values_list("id", "posted_total"))


def summed_totals(connection: Connection) -> dict[UUID, Decimal]:
    """Return what the posted transactions of each account add up to."""
    posted = Q(transactions__status=TransactionStatus.POSTED)
    total = Coalesce(Sum("transactions__amount", filter=posted), Decimal(0))
    return dict(Account.objects.filter(connection=connection).values_list("id").annotate(total=total).order_by())


def assert_equal(bank: Bank, connection: Connection) -> None:
    """Assert that rows, balances and projections agree with the bank to the last digit."""
    state = bank.state()
    with tenant_scope(connection.tenant_id):
        assert our_rows(connection) == expected_rows(state)
        assert kept_totals(connection) == summed_totals(connection)
        drifts = {account.name: account.drift for account in Account.objects.filter(connection=connection)}
        assert drifts == dict.fromkeys(drifts, Decimal(0))


def find_row(external_id: str, tenant_id: UUID) -> Transaction:
    """Return our row of the bank's id."""
    with tenant_scope(tenant_id):
        return Transaction.objects.select_related("replaces").get(external_id=external_id)
