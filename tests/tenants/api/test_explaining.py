"""GET /permissions/explain: what somebody may do, and why or why not."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.permissions import Permission
from apps.core.scope import tenant_scope
from apps.orders.enums import OrderStatus
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.services import engage_read_only, revoke_api_key
from apps.users.models import User
from tests.factories.accounts import make_account
from tests.factories.orders import make_desk, make_order
from tests.factories.providers import make_connection
from tests.factories.tenants import make_api_key, make_member, make_role
from tests.tenants.api.calls import field_errors, problem, signed_in
from tests.tenants.records import actions
from tests.tenants.test_services import SYSTEM

EXPLAIN = "/api/v1/permissions/explain"
CONDITIONS = [{"type": "own"}, {"type": "amount_below", "amount": "5000"}]


@pytest.fixture
def june(acme: Tenant) -> User:
    make_role(acme, "junior", ["orders:read", "orders:write"], conditions={"orders:write": CONDITIONS})
    return make_member(acme, "june", "junior")


def place(tenant: Tenant, user: User) -> str:
    with tenant_scope(tenant.id):
        return str(Membership.objects.get(user_id=user.id).id)


def explain(client: APIClient, permission: str = "orders:write", **query: Any) -> tuple[bool, bool, list[str]]:
    answer = client.get(EXPLAIN, {"permission": permission, **query})
    assert answer.status_code == 200, answer.content
    (decision,) = answer.json()["decisions"]
    assert decision["permission"] == permission
    return decision["allowed"], decision["depends"], [step["text"] for step in decision["steps"]]


def test_everybody_sees_all_of_their_own(acme: Tenant, june: User) -> None:
    body = signed_in("june").get(EXPLAIN).json()
    assert body["subject"] == {"type": "user", "id": str(june.id), "name": "june", "role": "junior"}
    assert [decision["permission"] for decision in body["decisions"]] == sorted(Permission)
    assert [decision["permission"] for decision in body["decisions"] if decision["allowed"]] == [
        "orders:read",
        "positions:read",
    ]
    (writing,) = [decision for decision in body["decisions"] if decision["permission"] == "orders:write"]
    assert writing == {
        "permission": "orders:write",
        "allowed": False,
        "depends": True,
        "steps": [
            {"code": "tenant", "passed": True, "text": "The tenant is active."},
            {"code": "role", "passed": True, "text": "The role junior gives orders:write."},
            {
                "code": "condition",
                "passed": None,
                "text": "It depends on what it is about: only what they placed themselves.",
            },
            {
                "code": "condition",
                "passed": None,
                "text": "It depends on what it is about: only amounts below 5000 in the account's currency.",
            },
            {"code": "read_only", "passed": True, "text": "Writing is switched on."},
        ],
    }


def test_it_is_the_decision_that_a_request_meets(acme: Tenant, june: User, acme_admin: APIClient) -> None:
    desk = make_desk(acme)
    mine = make_order(desk, OrderStatus.ACCEPTED, client_order_id="c-1", placed_by=june.id)
    theirs = make_order(desk, OrderStatus.ACCEPTED, client_order_id="c-2")
    client = signed_in("june")
    for order, allowed in ((mine, True), (theirs, False)):
        about = {"resource_type": "order", "resource_id": str(order.id)}
        assert explain(client, **about)[0] is allowed
        assert explain(acme_admin, member=place(acme, june), **about)[0] is allowed
        assert (client.post(f"/api/v1/orders/{order.id}/cancel").status_code == 202) is allowed
    for amount, allowed in (("4999.99", True), ("5000", False)):
        assert explain(client, amount=amount)[0] is allowed


def test_others_are_explained_to_those_who_may_read_members(acme: Tenant, june: User, acme_admin: APIClient) -> None:
    make_member(acme, "vic", "viewer")
    member = place(acme, june)
    answer = signed_in("vic").get(EXPLAIN, {"permission": "orders:write", "member": member})
    assert problem(answer) == (403, "permission_denied", "The role viewer does not give members:read.")
    assert explain(acme_admin, "risk:write", member=member) == (
        False,
        False,
        ["The tenant is active.", "The role junior does not give risk:write.", "Writing is switched on."],
    )
    assert actions(acme.id)[-1] == "session.started"


def test_a_grant_reaches_its_objects_alone(acme: Tenant, acme_admin: APIClient) -> None:
    connection = make_connection(acme, "test_tkn_granted")
    granted, other = (make_account(acme, connection=connection, external_id=f"acc-{n}") for n in range(2))
    user = make_member(acme, "bill", "billing")
    body = {"permission": "accounts:read", "object_type": "account", "object_id": str(granted.id)}
    member = place(acme, user)
    assert acme_admin.post(f"/api/v1/members/{member}/grants", body, format="json").status_code == 201
    bill = signed_in("bill")
    for account, allowed in ((granted, True), (other, False)):
        about = {"resource_type": "account", "resource_id": str(account.id)}
        assert explain(acme_admin, "accounts:read", **about, member=member)[0] is allowed
        assert (bill.get(f"/api/v1/accounts/{account.id}").status_code == 200) is allowed
    assert explain(bill, "accounts:read", resource_type="account", resource_id=str(granted.id))[0] is True


def test_what_somebody_may_not_read_is_not_there_for_them(acme: Tenant, acme_admin: APIClient) -> None:
    desk = make_desk(acme)
    order, account = make_order(desk, OrderStatus.ACCEPTED), desk.account
    guest = make_member(acme, "gus", "billing")
    body = {"permission": "accounts:read", "object_type": "account", "object_id": str(make_account(acme).id)}
    assert acme_admin.post(f"/api/v1/members/{place(acme, guest)}/grants", body, format="json").status_code == 201
    gus = signed_in("gus")
    for type_, key in (("order", order.id), ("account", account.id), ("order", uuid4()), ("account", uuid4())):
        answer = gus.get(EXPLAIN, {"resource_type": type_, "resource_id": str(key)})
        assert problem(answer)[:2] == (404, "not_found")


def test_an_api_key_with_its_mode_and_its_end(acme: Tenant, acme_admin: APIClient) -> None:
    make_api_key(acme, "trader", name="robot")
    live = make_account(acme, connection=make_connection(acme, "test_tkn_live"), mode="live")
    with tenant_scope(acme.id):
        key = ApiKey.objects.get(name="robot")
    about = {"api_key": str(key.id), "resource_type": "account", "resource_id": str(live.id)}
    assert explain(acme_admin, **about) == (
        False,
        False,
        [
            "The tenant is active.",
            "The API key works.",
            "orders:write is among the API key's scopes.",
            "A test key reaches paper accounts only.",
            "Writing is switched on.",
        ],
    )
    revoke_api_key(api_key_id=key.id, actor=SYSTEM.for_tenant(acme.id), now=clock.now())
    assert explain(acme_admin, api_key=str(key.id))[2][1] == "The API key is revoked or has expired."


def test_what_stops_the_whole_tenant_is_told(acme: Tenant, acme_admin: APIClient) -> None:
    engage_read_only(tenant_id=acme.id, reason="closing the year", actor=SYSTEM, now=clock.now())
    allowed, _depends, steps = explain(acme_admin)
    assert (allowed, steps[-1]) == (False, "Writing is switched off: closing the year")
    assert explain(acme_admin, "orders:read")[0] is True


def test_what_is_not_theirs_is_not_there(acme: Tenant, june: User, globex_admin: APIClient) -> None:
    order = make_order(make_desk(acme), OrderStatus.ACCEPTED)
    for about in (
        {"member": place(acme, june)},
        {"member": str(uuid4())},
        {"api_key": str(uuid4())},
        {"resource_type": "order", "resource_id": str(order.id)},
    ):
        assert problem(globex_admin.get(EXPLAIN, about))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"permission": "orders:fly"}, "permission", "invalid_choice"),
        ({"member": str(uuid4()), "api_key": str(uuid4())}, "api_key", "excluded"),
        ({"resource_type": "order"}, "resource_id", "required"),
        ({"resource_type": "order", "resource_id": str(uuid4()), "amount": "1"}, "amount", "excluded"),
        ({"amount": "-1"}, "amount", "min_value"),
    ],
)
def test_a_question_makes_sense(acme_admin: APIClient, query: dict[str, str], field: str, code: str) -> None:
    assert field_errors(acme_admin.get(EXPLAIN, query)) == [(field, code)]
