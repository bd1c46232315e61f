"""The Teller adapter against the sandbox, over real HTTP."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from apps.providers.adapters.teller.client import TellerAdapter
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import BankingAdapter
from apps.providers.transport import CallPolicy
from apps.providers.types import AccountData, BalanceData, Page, RejectedRow, TransactionData
from tests.providers.transport.server import ScriptedServer, answer

pytestmark = pytest.mark.no_database

POLICY = CallPolicy(backoff_seconds=0.01, read_seconds=5.0, deadline_seconds=20.0)


@pytest.fixture
def token() -> str:
    """An enrolment that no other test knows."""
    return f"test_tkn_{uuid4().hex[:12]}"


@pytest.fixture
def open_bank(sandbox):
    opened: list[TellerAdapter] = []

    def connect(token: str) -> TellerAdapter:
        opened.append(TellerAdapter({"access_token": token}, uuid4().hex, policy=POLICY))
        return opened[-1]

    yield connect
    for bank in opened:
        bank.close()


def rows_of(pages: list[Page]) -> list[TransactionData]:
    rows = [row for page in pages for row in page.rows]
    assert all(isinstance(row, TransactionData) for row in rows)
    return [row for row in rows if isinstance(row, TransactionData)]


def by_kind(bank: TellerAdapter, kind: str) -> AccountData:
    return next(row for row in bank.accounts() if isinstance(row, AccountData) and row.kind == kind)


def truth_of(sandbox, token: str, account: AccountData) -> dict[str, tuple[Decimal, str, str]]:
    """Return what the sandbox knows, in our sign."""
    rows = sandbox.teller_state(token)["transactions"][account.external_id]
    sign = -1 if account.kind == "credit" else 1
    return {row["id"]: (sign * Decimal(row["amount"]), row["date"], row["status"]) for row in rows}


def told(rows: list[TransactionData]) -> dict[str, tuple[Decimal, str, str]]:
    return {row.external_id: (row.amount, row.date.isoformat(), row.status) for row in rows}


def test_it_is_a_banking_adapter(open_bank, token):
    bank: BankingAdapter = open_bank(token)
    with bank as same:
        assert same is bank


def test_accounts(open_bank, sandbox, token):
    accounts = open_bank(token).accounts()
    assert [account.external_id for account in accounts] == [
        account["id"] for account in sandbox.teller_state(token)["accounts"]
    ]
    assert {account.kind for account in accounts if isinstance(account, AccountData)} == {"depository", "credit"}


@pytest.mark.parametrize("kind", ["depository", "credit"])
def test_the_full_history_is_the_sandboxs_truth(open_bank, sandbox, token, kind):
    bank = open_bank(token)
    account = by_kind(bank, kind)
    assert told(rows_of(list(bank.transactions(account.external_id, since=None)))) == truth_of(sandbox, token, account)


def test_a_charge_on_a_card_is_money_out_and_debt_is_negative(open_bank, token):
    bank = open_bank(token)
    card = by_kind(bank, "credit")
    rows = rows_of(list(bank.transactions(card.external_id, since=None)))
    assert {row.amount > 0 for row in rows if row.description == "PAYMENT THANK YOU"} == {True}
    assert {row.amount < 0 for row in rows if row.description == "NETFLIX.COM"} == {True}
    balance = bank.balance(card.external_id)
    assert isinstance(balance, BalanceData)
    assert balance.current is not None
    assert balance.current < 0


def test_since_bounds_what_is_read(open_bank, sandbox, token):
    bank = open_bank(token)
    account = by_kind(bank, "depository")
    since = datetime.now(UTC).date() - timedelta(days=20)
    rows = rows_of(list(bank.transactions(account.external_id, since=since)))
    expected = {
        key: value for key, value in truth_of(sandbox, token, account).items() if date.fromisoformat(value[1]) >= since
    }
    assert told(rows) == expected
    calls = [call for call in sandbox.log() if call["path"].endswith(f"{account.external_id}/transactions")]
    assert [call["query"] for call in calls] == [{"count": "200"}]


def test_pages_follow_each_other_to_the_end(open_bank, sandbox):
    bank = open_bank("test_tkn_bulk2500")
    account = by_kind(bank, "depository")
    pages = list(bank.transactions(account.external_id, since=None))
    assert [len(page.rows) for page in pages] == [1000, 1000, 500]
    assert len(told(rows_of(pages))) == 2500


@pytest.mark.parametrize("kind", ["duplicate", "reorder"])
def test_pages_in_disorder_lose_nothing(open_bank, sandbox, kind):
    bank = open_bank("test_tkn_bulk2500")
    account = by_kind(bank, "depository")
    sandbox.fault(kind, count=2, match="/transactions")
    rows = rows_of(list(bank.transactions(account.external_id, since=None)))
    assert told(rows) == truth_of(sandbox, "test_tkn_bulk2500", account)


@pytest.mark.parametrize("kind", ["status:502", "status:500", "throttle", "malformed", "drop_response"])
def test_a_passing_fault_at_any_call_is_hidden(open_bank, sandbox, token, kind):
    bank = open_bank(token)
    account = by_kind(open_bank(token), "depository")
    for match in ("GET /accounts", "/balances", "/transactions"):
        sandbox.fault(kind, count=1, match=match)
    bank.accounts()
    assert isinstance(bank.balance(account.external_id), BalanceData)
    assert told(rows_of(list(bank.transactions(account.external_id, since=None)))) == truth_of(sandbox, token, account)


def test_an_account_that_was_not_listed_is_looked_up(open_bank, token):
    card = by_kind(open_bank(token), "credit")
    rows = rows_of(list(open_bank(token).transactions(card.external_id, since=None)))
    assert {row.amount < 0 for row in rows if row.description == "NETFLIX.COM"} == {True}


class TestFailures:
    def failed(self, call) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            call()
        return caught.value

    def test_an_unknown_token(self, open_bank):
        error = self.failed(open_bank("nonsense").accounts)
        assert (error.category, error.code) == (ErrorCategory.AUTH, "credentials_refused")
        assert error.message == "The provider refuses the credentials. Delete the connection and connect again."

    @pytest.mark.parametrize("reason", ["", "user_action.mfa_required", "credentials_invalid"])
    def test_a_disconnected_enrolment(self, open_bank, sandbox, token, reason):
        sandbox.control("POST", "/teller/enrollment", token=token, status="disconnected", reason=reason)
        error = self.failed(open_bank(token).accounts)
        assert error.category is ErrorCategory.AUTH
        assert error.code == "enrollment.disconnected" + (f".{reason}" if reason else "")

    def test_a_closed_account(self, open_bank, sandbox, token):
        bank = open_bank(token)
        account = by_kind(bank, "depository")
        sandbox.control("POST", "/teller/account", token=token, account_id=account.external_id, status="closed")
        error = self.failed(lambda: bank.balance(account.external_id))
        assert (error.category, error.code, error.status) == (ErrorCategory.PERMANENT, "account_closed", 410)
        closed = next(row for row in bank.accounts() if row.external_id == account.external_id)
        assert isinstance(closed, AccountData)
        assert closed.status == "closed"

    def test_a_lasting_fault(self, open_bank, sandbox, token):
        sandbox.fault("status:502", match="GET /accounts")
        error = self.failed(open_bank(token).accounts)
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "institution_unavailable")

    def test_a_row_to_page_on_from_that_vanished_is_retryable(self, open_bank, sandbox):
        bank = open_bank("test_tkn_bulk1500")
        account = by_kind(bank, "depository")
        sandbox.fault("status:404", count=1, match="from_id=")
        error = self.failed(lambda: list(bank.transactions(account.external_id, since=None)))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "list_changed")


class TestOddLists:
    """What the sandbox never sends."""

    ACCOUNT = {"id": "acc_1", "name": "A", "type": "depository", "currency": "USD", "status": "open"}

    def row(self, number: int, **change) -> dict:
        row = {"id": f"txn_{number}", "account_id": "acc_1", "amount": "1.00", "date": "2026-03-01"}
        return {**row, "status": "posted", **change}

    @pytest.fixture
    def server(self, settings):
        with ScriptedServer(answer([])) as server:
            settings.SANDBOX_URL = server.url
            yield server

    def read(self, server: ScriptedServer, *bodies, since: date | None = None) -> list[Page]:
        server.play(answer([self.ACCOUNT]), *[answer(body) for body in bodies])
        with TellerAdapter({"access_token": "t"}, uuid4().hex, policy=POLICY) as bank:
            bank.accounts()
            return list(bank.transactions("acc_1", since=since))

    def test_rows_that_do_not_map_stay_on_their_page(self, server):
        [page] = self.read(server, [self.row(1), self.row(2, amount="?"), 7, self.row(3)], [])
        assert [row.external_id for row in page.rows] == ["txn_1", "txn_2", "", "txn_3"]
        assert [isinstance(row, RejectedRow) for row in page.rows] == [False, True, True, False]

    def test_a_pending_row_below_the_last_posted_one_comes_again(self, server):
        old = self.row(2, status="pending")
        pages = self.read(server, [self.row(1), old], [old], [])
        assert [[row.external_id for row in page.rows] for page in pages] == [["txn_1", "txn_2"], ["txn_2"]]
        assert [line.split()[1] for line in server.requests[1:]] == [
            "/teller/accounts/acc_1/transactions?count=1000",
            "/teller/accounts/acc_1/transactions?count=1000&from_id=txn_1",
            "/teller/accounts/acc_1/transactions?count=1000&from_id=txn_2",
        ]

    def test_an_old_pending_row_does_not_end_the_history(self, server):
        first = [self.row(1, status="pending", date="2026-01-01"), self.row(2)]
        pages = self.read(server, first, [self.row(3), self.row(4, date="2026-02-01")], since=date(2026, 2, 20))
        assert [[row.external_id for row in page.rows] for page in pages] == [["txn_2"], ["txn_3"]]

    def test_a_page_for_ever_is_an_error(self, server):
        with pytest.raises(ProviderError) as caught:
            self.read(server, [self.row(1)])
        assert caught.value.code == "list_changed"

    @pytest.mark.parametrize("body", [{}, None, "text"])
    def test_a_list_that_is_none_is_malformed(self, server, body):
        with pytest.raises(ProviderError) as caught:
            self.read(server, body)
        assert (caught.value.category, caught.value.code) == (ErrorCategory.RETRYABLE, "malformed_answer")
