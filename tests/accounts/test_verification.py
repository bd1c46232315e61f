"""`accounts.balances`: a total that is not the sum of its rows is found."""

import pytest

from apps.accounts.models import Account
from tests.factories.accounts import make_account, make_transaction
from tests.tampering import found, looked_at, tamper

pytestmark = pytest.mark.worker_login

CHECK = "accounts.balances"


@pytest.fixture
def account(acme) -> Account:
    """An account with two posted rows and one that is pending."""
    account = make_account(acme, posted_total="-30.50")
    for amount, status in (("-20.50", "posted"), ("-10", "posted"), ("-7", "pending")):
        make_transaction(account, amount=amount, status=status)
    return account


def test_a_balance_that_adds_up_is_proved(account: Account) -> None:
    assert looked_at(CHECK) == 3


def test_an_altered_amount_is_found(account: Account) -> None:
    tamper("UPDATE accounts_transaction SET amount = -11 WHERE amount = -10")
    assert found(CHECK) == [("accounts_account", str(account.id), "-31.5 posted", "-30.5 posted")]


def test_a_deleted_row_is_found(account: Account) -> None:
    tamper("DELETE FROM accounts_transaction WHERE amount = -10")
    assert found(CHECK) == [("accounts_account", str(account.id), "-20.5 posted", "-30.5 posted")]


def test_what_is_pending_does_not_count(account: Account) -> None:
    tamper("DELETE FROM accounts_transaction WHERE status = 'pending'")
    assert looked_at(CHECK) == 2
