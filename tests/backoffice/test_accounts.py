"""An account's page, once nothing reads the account any more."""

from decimal import Decimal
from html import unescape

from apps.core import clock
from apps.core.actor import system_actor
from apps.providers.services import delete_connection
from tests.factories.accounts import make_account


def text_of(client, account) -> str:
    return unescape(client.get(f"/admin/accounts/account/{account.pk}/change/").content.decode())


def test_a_closed_account_says_why_and_asks_for_no_sync(acme, staff_client):
    gone = make_account(
        acme, opening_balance=Decimal(1), provider_balance=Decimal(5), provider_balance_as_of=clock.now()
    )
    assert "Our balance and the provider's differ" in text_of(staff_client, gone)
    delete_connection(connection_id=gone.connection_id, actor=system_actor("tests", tenant_id=acme.id), now=clock.now())

    text = text_of(staff_client, gone)

    assert "This account is closed" in text
    assert "The connection that it was read through was deleted." in text
    assert "Our balance and the provider's differ" not in text
    assert "The provider says so." in text_of(staff_client, make_account(acme, status="closed"))
