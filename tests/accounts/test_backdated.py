"""Changes before the window that a sync reads: found at once when they show as drift, and within a week when not."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from apps.accounts.models import Account
from apps.accounts.sync.plan import make_plan
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope, write_scope
from apps.providers.models import Connection, SyncRun
from tests.accounts.bank import Bank, assert_equal, find_row
from tests.factories.accounts import make_connection, make_transaction, sync

pytestmark = pytest.mark.worker_login

DRIFT = Decimal("5.00")


@pytest.fixture
def connection(acme, bank: Bank) -> Connection:
    """A connection that was synced once."""
    connection = make_connection(acme, bank.label)
    assert sync(connection).status == "succeeded"
    return connection


def counts(run: SyncRun) -> tuple[int, int, int]:
    return run.added, run.modified, run.removed


def add_late(bank: Bank, amount: str) -> dict[str, Any]:
    day = clock.now().date() - timedelta(days=20)
    return bank.add(amount, status="posted", date=day.isoformat(), description="LATE", counterparty="LATE")


def checking_of(connection: Connection) -> Account:
    with tenant_scope(connection.tenant_id):
        return Account.objects.get(connection=connection, subtype="checking")


def set_checking(connection: Connection, **values: Any) -> None:
    with write_scope(system_actor("tests", tenant_id=connection.tenant_id)):
        Account.objects.filter(connection=connection, subtype="checking").update(**values)


def reads_all(connection: Connection, bank: Bank, *, after: timedelta) -> bool:
    with tenant_scope(connection.tenant_id):
        plan = make_plan(
            tenant_id=connection.tenant_id, connection_id=connection.id, now=clock.now() + after - timedelta(seconds=60)
        )
    return plan[bank.accounts()["checking"]].must_read_all


def test_row_that_comes_late_is_found_at_once(connection: Connection, bank: Bank) -> None:
    late = add_late(bank, "-3.00")
    assert counts(sync(connection)) == (1, 0, 0)
    assert find_row(late["id"], connection.tenant_id).amount == Decimal("-3.00")
    assert_equal(bank, connection)
    assert sync(connection).unchanged < len(bank.rows()) / 4  # a window again


def test_amount_that_changed_long_ago_is_found_at_once(connection: Connection, bank: Bank) -> None:
    bank.change(bank.rows()[-1], amount="-1.00")
    assert counts(sync(connection)) == (0, 1, 0)
    assert_equal(bank, connection)


@pytest.mark.parametrize("place", [-20, -1], ids=["in between", "the oldest of all"])
def test_row_that_was_taken_out_long_ago_is_found_at_once(connection: Connection, bank: Bank, place: int) -> None:
    bank.remove(bank.rows()[place])
    assert counts(sync(connection)) == (0, 0, 1)
    assert_equal(bank, connection)


def test_late_rows_that_add_up_to_nothing_are_found_within_a_week(connection: Connection, bank: Bank) -> None:
    add_late(bank, "-12.00")
    add_late(bank, "12.00")
    assert counts(sync(connection)) == (0, 0, 0)
    assert [reads_all(connection, bank, after=timedelta(days=days)) for days in (1, 7, 8)] == [False, False, True]
    set_checking(connection, fully_read_at=F("fully_read_at") - timedelta(days=7))
    assert counts(sync(connection)) == (2, 0, 0)
    assert_equal(bank, connection)


def test_drift_that_no_reading_removes_has_the_history_read_once_a_day_only(connection: Connection, bank: Bank) -> None:
    total = len(bank.rows())
    # As if a row before the beginning of the bank's history had been changed.
    opening, told = F("opening_balance") - DRIFT, F("provider_balance") - DRIFT
    set_checking(connection, opening_balance=opening, provider_balance=told)
    runs = [sync(connection) for _ in range(3)]
    assert [counts(run) for run in runs] == [(0, 0, 0)] * 3
    assert [run.unchanged >= total for run in runs] == [True, False, False]
    assert checking_of(connection).drift == DRIFT
    assert [reads_all(connection, bank, after=timedelta(days=days)) for days in (1, 2)] == [False, True]
    late = add_late(bank, "-3.00")  # another drift than the known one
    assert counts(sync(connection)) == (1, 0, 0)
    assert find_row(late["id"], connection.tenant_id).status == "posted"
    assert checking_of(connection).drift == DRIFT


def test_row_from_before_the_banks_history_is_kept(connection: Connection, bank: Bank) -> None:
    day = date.fromisoformat(bank.rows()[-1]["date"]) - timedelta(days=30)
    old = make_transaction(checking_of(connection), "-40.00", date=day, external_id="txn_of_long_ago")
    opening, total = F("opening_balance") + 40, F("posted_total") - 40
    set_checking(
        connection, opening_balance=opening, posted_total=total, fully_read_at=F("first_read_at") - timedelta(8)
    )
    assert counts(sync(connection)) == (0, 0, 0)
    assert find_row(old.external_id, connection.tenant_id).status == "posted"
    account = checking_of(connection)
    assert account.drift == Decimal(0)
    assert account.fully_read_at is not None
    assert account.fully_read_at > clock.now() - timedelta(minutes=5)
    late = add_late(bank, "-3.00")  # a drift of something else does not remove it either
    assert counts(sync(connection)) == (1, 0, 0)
    assert find_row(late["id"], connection.tenant_id).status == "posted"
    assert find_row(old.external_id, connection.tenant_id).status == "posted"
