"""GET and PUT /kill-switch."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import Actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.orders.enums import SwitchScope
from apps.orders.models import KillSwitch
from apps.orders.services.kill_switch import set_kill_switch
from apps.tenants.services import engage_read_only
from tests.factories.orders import Desk, make_desk, make_trading_account

URL = "/api/v1/kill-switch"
STAFF = Actor(kind="staff", label="sam", user_id=new_id())
NOBODY = {"engaged": False, "reason": "", "changed_at": None}


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def put(client: APIClient, engaged: bool, reason: str | None = None, **more: Any) -> Any:
    headers = more.pop("headers", {})
    body = {"engaged": engaged, **({} if reason is None else {"reason": reason}), **more}
    return client.put(URL, body, format="json", headers=headers)


def switches(tenant: Any) -> list[tuple[Any, bool]]:
    """Return (account, engaged) of every switch, having seen that each change has left one leaf."""
    with tenant_scope(tenant.id):
        rows = list(KillSwitch.objects.order_by("id"))
        leaves = AuditEntry.objects.filter(target_type="kill_switch").count()
    assert leaves == sum(row.version for row in rows)
    return [(row.account_id, row.engaged) for row in rows]


def test_before_anybody_touched_it(acme, acme_viewer: APIClient):
    answer = acme_viewer.get(URL)
    assert answer.status_code == 200
    assert answer.json() == {
        "engaged": False,
        "reason": "",
        "changed_by": None,
        "changed_at": None,
        "orders_in_flight": None,
        "version": 0,
        "installation": NOBODY,
        "accounts": [],
    }


def test_a_trader_stops_the_tenant_and_lets_it_go_on(acme, globex_admin: APIClient, acme_trader: APIClient):
    answer = put(acme_trader, True, "fat finger")
    assert answer.status_code == 200
    shown = answer.json()
    assert answer["ETag"] == '"1"'
    assert shown == {
        "engaged": True,
        "reason": "fat finger",
        "changed_by": "acme trader",
        "changed_at": shown["changed_at"],
        "orders_in_flight": False,
        "version": 1,
        "installation": NOBODY,
        "accounts": [],
    }
    assert acme_trader.get(URL).json() == shown
    assert put(acme_trader, True, "fat finger").json() == shown
    assert not globex_admin.get(URL).json()["engaged"]
    answer = put(acme_trader, False, headers={"If-Match": '"1"'})
    assert (answer.json()["engaged"], answer.json()["reason"], answer["ETag"]) == (False, "", '"2"')
    assert answer.json()["orders_in_flight"] is None
    assert switches(acme) == [(None, False)]


def test_one_account(desk, acme, acme_trader: APIClient):
    shown = put(acme_trader, True, "broker's statement differs", account_id=str(desk.account.id)).json()
    assert (shown["engaged"], shown["version"]) == (False, 0)
    (account,) = shown["accounts"]
    assert account == {
        "account_id": str(desk.account.id),
        "engaged": True,
        "reason": "broker's statement differs",
        "changed_by": "acme trader",
        "changed_at": account["changed_at"],
        "orders_in_flight": False,
        "version": 1,
    }
    assert switches(acme) == [(desk.account.id, True)]
    answer = put(acme_trader, False, account_id=str(desk.account.id), headers={"If-Match": '"2"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")
    assert switches(acme) == [(desk.account.id, True)]


def test_the_installations_stops_the_tenant_and_is_not_the_tenants_to_release(acme, acme_admin: APIClient):
    set_kill_switch(
        scope=SwitchScope.INSTALLATION, engaged=True, reason="venue in trouble", actor=STAFF, now=clock.now()
    )
    shown = acme_admin.get(URL).json()
    assert (shown["engaged"], shown["reason"], shown["orders_in_flight"], shown["version"]) == (True, "", False, 0)
    assert (shown["installation"]["engaged"], shown["installation"]["reason"]) == (True, "venue in trouble")
    assert put(acme_admin, False).json()["engaged"]
    assert switches(acme) == []


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "engaged", "required"),
        ({"engaged": "perhaps"}, "engaged", "invalid"),
        ({"engaged": True}, "reason", "required"),
        ({"engaged": True, "reason": " "}, "reason", "required"),
        ({"engaged": True, "reason": "x" * 501}, "reason", "max_length"),
        ({"engaged": True, "reason": "x", "account_id": "mine"}, "account_id", "invalid"),
        ({"engaged": True, "reason": "x", "scope": "installation"}, "scope", "unknown_field"),
    ],
)
def test_bad_values(acme, acme_trader: APIClient, body: dict[str, Any], field: str, code: str):
    answer = acme_trader.put(URL, body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert switches(acme) == []


def test_an_account_of_another_tenant(acme, globex, acme_trader: APIClient):
    for account_id in (new_id(), make_trading_account(globex).id):
        answer = put(acme_trader, True, "x", account_id=str(account_id))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert switches(acme) == switches(globex) == []


def test_who_may_not(acme, acme_viewer: APIClient, anonymous: APIClient):
    assert put(acme_viewer, True, "x").json()["code"] == "permission_denied"
    assert put(anonymous, True, "x").json()["code"] == "authentication_required"
    assert switches(acme) == []


def test_it_can_be_engaged_while_writing_is_off(acme, acme_trader: APIClient):
    engage_read_only(tenant_id=acme.id, reason="audit", actor=STAFF, now=clock.now())
    assert put(acme_trader, True, "x").status_code == 200
    assert put(acme_trader, False).json()["code"] == "read_only"
    assert switches(acme) == [(None, True)]


def test_queries(acme, acme_trader: APIClient, django_assert_num_queries):
    put(acme_trader, True, "x")
    for _more in range(3):
        put(acme_trader, True, "y", account_id=str(make_trading_account(acme).id))
    with django_assert_num_queries(9):
        acme_trader.get(URL)
