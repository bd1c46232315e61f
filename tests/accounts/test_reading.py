"""How a reading comes about: what is read again, what is believed, what is refused."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.accounts.errors import ReadingUnstable
from apps.accounts.sync.reading import READ_TRIES, read_connection
from apps.accounts.types import AccountReading, Window
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.types import AccountData, BalanceData, Page, RejectedRow, TransactionData

pytestmark = pytest.mark.no_database

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SINCE = date(2026, 2, 20)
REFUSED = RejectedRow(entity="transaction", external_id="b", reason="amount")


def account(external_id: str = "acc", **values: Any) -> AccountData:
    defaults = {"name": "Checking", "kind": "depository", "subtype": "checking", "currency": "USD", "status": "open"}
    return AccountData(external_id=external_id, **{**defaults, **values})


def txn(external_id: str, amount: str = "-1") -> TransactionData:
    return TransactionData(
        external_id=external_id,
        amount=Decimal(amount),
        currency="USD",
        date=date(2026, 3, 1),
        status="posted",
        description="COFFEE",
    )


def failure(status: int, category: ErrorCategory = ErrorCategory.PERMANENT) -> ProviderError:
    return ProviderError(
        provider="teller", operation="transactions.list", category=category, code="code", message="", status=status
    )


class ScriptedBank:
    """A bank that plays scripts: each balance and each list of pages is used once, the last one for ever."""

    def __init__(
        self, *lists: Sequence[Page | Exception], balances: list[str] | None = None, accounts: list[Any] | None = None
    ) -> None:
        self.lists, self.balances = list(lists), balances or ["10"]
        self.listed = [account()] if accounts is None else accounts
        self.asked: list[tuple[str, date | None]] = []

    def accounts(self) -> list[AccountData | RejectedRow]:
        return self.listed

    def balance(self, external_id: str) -> BalanceData | RejectedRow:
        amount = self.balances.pop(0) if len(self.balances) > 1 else self.balances[0]
        return BalanceData(external_id=external_id, currency="USD", current=Decimal(amount), available=None)

    def transactions(self, external_id: str, *, since: date | None) -> Iterator[Page]:
        self.asked.append((external_id, since))
        pages = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        for page in pages:
            if isinstance(page, Exception):
                raise page
            yield page

    def __enter__(self) -> "ScriptedBank":
        return self

    def __exit__(self, *_error: object) -> None: ...

    def close(self) -> None: ...


def window(*posted: str, older: str | None = None, drift: str = "0") -> dict[str, Window]:
    """Return a plan to read from SINCE on, where we hold posted rows of -1 each."""
    amounts = dict.fromkeys(posted, Decimal(-1))
    known: dict[str, Any] = {"older_total": Decimal(older), "drift": Decimal(drift)} if older else {}
    return {"acc": Window(since=SINCE, posted=amounts, **known)}


def read(bank: ScriptedBank, plan: dict[str, Window]) -> AccountReading:
    [reading] = read_connection(bank, plan, clock=lambda: NOW).accounts
    return reading


def shown(reading: AccountReading) -> dict[str, Decimal]:
    return {external_id: row.amount for external_id, row in (reading.rows or {}).items()}


def test_row_that_comes_twice_counts_once_as_it_was_last_read() -> None:
    bank = ScriptedBank([Page((txn("a"), txn("a"))), Page((txn("a", "-2"), txn("b")))])
    assert shown(read(bank, {})) == {"a": Decimal(-2), "b": Decimal(-1)}


def test_one_page_of_a_known_account_is_believed_at_once() -> None:
    bank = ScriptedBank([Page((txn("a"),))], balances=["10", "11", "12"])
    reading = read(bank, window("a"))
    assert bank.asked == [("acc", SINCE)]
    assert bank.balances == ["11", "12"]
    assert reading.balance is not None
    assert reading.balance.current == Decimal(10)


def test_reading_of_several_pages_is_repeated_until_the_balance_stands_still() -> None:
    moved = [Page((txn("a"),)), Page((txn("b"),))]
    calm = [Page((txn("n"), txn("a"))), Page((txn("b"),))]
    bank = ScriptedBank(moved, calm, balances=["10", "9", "9"])
    assert shown(read(bank, window("a"))).keys() == {"n", "a", "b"}
    assert len(bank.asked) == 2


def test_account_that_never_stands_still_is_not_believed() -> None:
    bank = ScriptedBank([Page((txn("a"),))], balances=[str(n) for n in range(20)])
    with pytest.raises(ReadingUnstable):
        read(bank, {})
    assert len(bank.asked) == READ_TRIES


def test_missing_posted_row_widens_the_reading_to_the_whole_history() -> None:
    bank = ScriptedBank([Page((txn("a"),))], [Page((txn("a"),)), Page((txn("b"),))])
    reading = read(bank, window("a", "b"))
    assert bank.asked == [("acc", SINCE), ("acc", None)]
    assert reading.since is None
    assert shown(reading).keys() == {"a", "b"}


@pytest.mark.parametrize(
    ("balance", "widens"),
    [
        ("18", False),  # 20 and the two rows: nothing is missing
        ("17", True),  # something of -1 came before the window
        ("15.5", False),  # the drift that outlived the last full reading
    ],
)
def test_drift_widens_the_reading_unless_the_last_full_one_left_the_same(balance: str, widens: bool) -> None:
    bank = ScriptedBank([Page((txn("a"), txn("new")))], [Page((txn("a"), txn("new"), txn("late")))], balances=[balance])
    reading = read(bank, window("a", older="20", drift="-2.5"))
    assert bank.asked == [("acc", SINCE), ("acc", None)][: 1 + widens]
    assert ("late" in shown(reading), reading.since is None) == (widens, widens)


def test_refused_row_counts_in_the_drift_as_we_hold_it() -> None:
    bank = ScriptedBank([Page((txn("a"), REFUSED))], balances=["18"])
    read(bank, window("a", "b", older="20"))
    assert bank.asked == [("acc", SINCE)]


def test_pending_row_is_no_part_of_the_drift() -> None:
    bank = ScriptedBank([Page((txn("a"), replace(txn("p"), status="pending")))], balances=["19"])
    read(bank, window("a", older="20"))
    assert bank.asked == [("acc", SINCE)]


@pytest.mark.parametrize(
    ("plan", "oldest", "reach"),
    [
        (Window(since=SINCE), date(2025, 1, 1), SINCE),
        (Window(since=SINCE, must_read_all=True), date(2025, 1, 1), date(2025, 1, 1)),
        (Window(since=SINCE, must_read_all=True), date(2026, 3, 1), SINCE),
        (Window(since=None), date(2026, 3, 1), date(2026, 3, 1)),
    ],
)
def test_history_reaches_to_its_oldest_row_and_as_far_as_any_window(plan: Window, oldest: date, reach: date) -> None:
    rows = (txn("a"), replace(txn("b"), date=oldest))
    reading = read(ScriptedBank([Page(rows)]), {"acc": plan})
    assert reading.reach == reach


def test_refused_row_is_kept_apart_and_does_not_count_as_missing() -> None:
    bank = ScriptedBank([Page((txn("a"), REFUSED))])
    result = read_connection(bank, window("a", "b"), clock=lambda: NOW)
    [reading] = result.accounts
    assert bank.asked == [("acc", SINCE)]
    assert (reading.refused, reading.is_complete) == (frozenset({"b"}), True)
    assert result.rejected == (REFUSED,)


def test_refused_row_without_an_id_makes_absence_meaningless() -> None:
    nameless = RejectedRow(entity="transaction", external_id="", reason="id")
    reading = read(ScriptedBank([Page((txn("a"), nameless))]), window("a"))
    assert reading.is_complete is False


@pytest.mark.parametrize(("error", "state"), [(failure(410), (True, False)), (failure(404), (False, True))])
def test_account_that_cannot_be_read_is_a_state_of_it_alone(error: ProviderError, state: tuple[bool, bool]) -> None:
    reading = read(ScriptedBank([error]), window())
    assert (reading.is_closed, reading.is_out_of_reach) == state
    assert reading.rows is None


def test_account_listed_as_closed_is_not_read() -> None:
    bank = ScriptedBank([Page((txn("a"),))], accounts=[account(status="closed")])
    assert read(bank, {}).is_closed is True
    assert bank.asked == []


@pytest.mark.parametrize(
    "error",
    [
        failure(404, ErrorCategory.AUTH),  # Teller: the enrolment is disconnected
        failure(502, ErrorCategory.RETRYABLE),
        failure(429, ErrorCategory.THROTTLED),
    ],
)
def test_any_other_failure_is_the_whole_runs(error: ProviderError) -> None:
    bank = ScriptedBank([Page((txn("a"),)), error])
    with pytest.raises(ProviderError):
        read(bank, window())


def test_account_listed_twice_is_read_once() -> None:
    bank = ScriptedBank([Page((txn("a"),))], accounts=[account(), account()])
    assert read(bank, window("a")).data == account()
    assert len(bank.asked) == 1


@pytest.mark.parametrize(("external_id", "lists_all"), [("gone", True), ("", False)])
def test_refused_account_is_not_taken_for_gone(external_id: str, lists_all: bool) -> None:
    refused = RejectedRow(entity="account", external_id=external_id, reason="currency")
    result = read_connection(ScriptedBank([], accounts=[refused]), {}, clock=lambda: NOW)
    assert (result.refused_accounts, result.lists_all) == (frozenset({external_id}) - {""}, lists_all)
