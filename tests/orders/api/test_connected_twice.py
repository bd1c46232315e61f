"""A venue's account that a tenant has connected twice: its money is there once, so its risk is one."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Account
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.scope import tenant_scope, write_scope
from apps.orders.enums import OrderStatus
from apps.orders.models import Order, RiskAccount
from apps.orders.services.accounts import ensure_risk_account
from apps.providers.models import Connection
from apps.providers.services import delete_connection
from tests.factories.orders import Desk, make_desk, make_order, make_position, make_trading_account
from tests.orders.intake import body_of, post


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme, max_open_trades=1)


@pytest.fixture
def twin(desk: Desk) -> Account:
    """The desk's account at the venue, through a second connection."""
    return make_trading_account(desk.tenant, external_id=desk.account.external_id, key_id="PKTWICETWICETWICETWI")


def denial(answer: Any) -> str | None:
    assert answer.status_code == 201, answer.content
    return (answer.json()["denial"] or {}).get("code")


def test_it_has_one_risk_account(desk: Desk, twin: Account):
    again = ensure_risk_account(account_id=twin.id, actor=desk.actor, now=clock.now())
    assert (again.id, again.account_id) == (desk.risk_account.id, desk.account.id)


def test_an_order_through_either_counts_for_both(desk: Desk, twin: Account, acme_trader: APIClient):
    through_twin = post(acme_trader, body_of(desk, account_id=str(twin.id), quantity="150"))
    assert (denial(through_twin), through_twin.json()["account_id"]) == (None, str(twin.id))

    assert denial(post(acme_trader, body_of(desk, quantity="150"))) == "concentration_limit"
    assert denial(post(acme_trader, body_of(desk, account_id=str(twin.id), quantity="150"))) == "concentration_limit"
    with tenant_scope(desk.tenant.id):
        assert set(Order.objects.values_list("risk_account_id", flat=True)) == {desk.risk_account.id}


def test_the_outcome_of_one_that_is_not_known_blocks_both(desk: Desk, twin: Account, acme_trader: APIClient):
    make_order(desk, OrderStatus.UNKNOWN)
    assert denial(post(acme_trader, body_of(desk, account_id=str(twin.id)))) == "outcome_unknown"


def test_limits_of_one_are_those_of_the_other(desk: Desk, twin: Account, acme_admin: APIClient):
    changed = acme_admin.put(f"/api/v1/risk/limits/{twin.id}", {"max_open_trades": 7}, format="json")
    assert (changed.status_code, changed.json()["account_id"]) == (200, str(twin.id))
    assert acme_admin.get(f"/api/v1/risk/limits/{desk.account.id}").json()["max_open_trades"] == 7


def test_the_kill_switch_of_one_stops_the_other_and_either_releases_it(
    desk: Desk, twin: Account, acme_trader: APIClient
):
    def turn(account: Account, engaged: bool) -> None:
        body = {"engaged": engaged, "reason": "drill", "account_id": str(account.id)}
        assert acme_trader.put("/api/v1/kill-switch", body, format="json").status_code == 200

    turn(twin, True)
    assert denial(post(acme_trader, body_of(desk))) == "kill_switch_engaged"
    assert denial(post(acme_trader, body_of(desk, account_id=str(twin.id)))) == "kill_switch_engaged"

    turn(desk.account, False)
    assert denial(post(acme_trader, body_of(desk, account_id=str(twin.id)))) is None


def test_both_show_what_is_held(desk: Desk, twin: Account, acme_viewer: APIClient):
    make_position(desk, "3")
    for account in (desk.account, twin):
        [row] = acme_viewer.get("/api/v1/positions", {"account": str(account.id)}).json()["data"]
        assert (row["account_id"], row["quantity"]) == (str(account.id), "3")
    assert len(acme_viewer.get("/api/v1/positions").json()["data"]) == 1


def test_an_order_without_an_account_goes_to_it(desk: Desk, twin: Account, acme_trader: APIClient):
    answer = post(acme_trader, body_of(desk, account_id=None))
    assert (denial(answer), answer.json()["account_id"]) == (None, str(twin.id))


def test_once_its_connection_is_gone_the_venue_is_asked_through_the_other(
    desk: Desk, twin: Account, acme_trader: APIClient
):
    delete_connection(connection_id=desk.connection.id, actor=desk.actor, now=clock.now())

    answer = post(acme_trader, body_of(desk, account_id=None))
    assert (denial(answer), answer.json()["account_id"]) == (None, str(twin.id)), "the only one that is open"

    with tenant_scope(desk.tenant.id):
        moved = RiskAccount.objects.get()
        leaf = AuditEntry.objects.get(action="risk_account.moved")
    assert moved.connection_id == twin.connection_id
    assert leaf.changes == {"connection_id": [str(desk.connection.id), str(twin.connection_id)]}
    assert post(acme_trader, body_of(desk)).status_code == 409, "what is not connected cannot trade"


def test_limits_are_changed_by_their_version_although_the_account_moves(
    desk: Desk, twin: Account, acme_admin: APIClient
):
    url = f"/api/v1/risk/limits/{twin.id}"
    tag = acme_admin.get(url)["ETag"]
    with write_scope(desk.actor):
        Connection.objects.filter(id=desk.connection.id).update(deleted_at=clock.now())

    changed = acme_admin.put(url, {"max_open_trades": 7}, format="json", headers={"If-Match": tag})

    assert (changed.status_code, changed.json()["max_open_trades"], changed["ETag"]) == (200, 7, '"2"')


def test_another_tenants_account_has_risk_of_its_own(desk: Desk, globex):
    other = make_desk(globex)
    with write_scope(other.actor):
        Account.objects.filter(id=other.account.id).update(name="same")
    assert other.risk_account.id != desk.risk_account.id
