"""GET and POST /members/{id}/grants, DELETE /members/{id}/grants/{id}; and what members see who have such grants."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import ObjectGrant
from apps.core import clock
from apps.core.permissions import GRANTABLE
from apps.core.scope import tenant_scope
from apps.orders.enums import OrderStatus
from apps.orders.services.accounts import ensure_risk_account
from apps.tenants.models import Membership, Tenant
from tests.conftest import client_for
from tests.factories.accounts import make_account, make_holding, make_transaction
from tests.factories.orders import Desk, make_desk, make_fill, make_order, make_position, make_trading_account
from tests.factories.tenants import make_api_key, make_member, make_role
from tests.matrix.routes import OPERATIONS, ROUTES
from tests.tenants.api.calls import problem, signed_in
from tests.tenants.records import actions, emitted, leaves

API = "/api/v1"


@pytest.fixture
def nia(acme: Tenant) -> Membership:
    """A member whose role gives nothing of money."""
    make_role(acme, "guest", ["tenant:read"])
    user = make_member(acme, "nia", "guest")
    with tenant_scope(acme.id):
        return Membership.objects.get(user_id=user.id)


@pytest.fixture
def desks(acme: Tenant) -> tuple[Desk, Desk]:
    """Two trading accounts, each with its orders, what it holds and its transactions."""
    first = make_desk(acme)
    account = make_trading_account(acme, key_id="PKSECOND", external_id="second", name="Second desk")
    risk_account = ensure_risk_account(account_id=account.id, actor=first.actor, now=clock.now())
    second = Desk(acme, account.connection, account, risk_account, first.listing)
    for desk in (first, second):
        order = make_order(desk, OrderStatus.PARTIALLY_FILLED, client_order_id=f"order of {desk.account.id}")
        make_fill(order, venue_execution_id=f"execution of {desk.account.id}")
        make_position(desk, "4")
        make_transaction(desk.account, external_id=f"transaction of {desk.account.id}")
        make_holding(desk.account, external_id=f"holding of {desk.account.id}")
    return first, second


def url_of(member: Membership) -> str:
    return f"{API}/members/{member.id}/grants"


def grant(client: APIClient, member: Membership, permission: str, object_type: str, object_id: UUID) -> Any:
    body = {"permission": permission, "object_type": object_type, "object_id": str(object_id)}
    return client.post(url_of(member), body, format="json")


def grant_all(client: APIClient, member: Membership, desk: Desk) -> None:
    """Grant everything that can be granted for a desk's connection."""
    for permission in GRANTABLE:
        assert grant(client, member, permission, "connection", desk.connection.id).status_code == 201


def ids_of(client: APIClient, path: str) -> list[str]:
    response = client.get(f"{API}/{path}")
    assert response.status_code == 200, response.content
    return [row.get("id", row.get("account_id")) for row in response.json()["data"]]


class TestGranting:
    def test_it_is_told_with_a_leaf_and_an_event_and_ends_by_delete(self, acme, acme_admin, nia, desks) -> None:
        account = desks[0].account
        response = grant(acme_admin, nia, "accounts:read", "account", account.id)
        body = response.json()
        told = {
            "member_id": str(nia.id),
            "permission": "accounts:read",
            "object_type": "account",
            "object_id": str(account.id),
        }
        assert (response.status_code, {**told, **body}) == (201, body)
        assert body["granted_by"]
        assert leaves(acme.id)[-1] == ("grant.created", {name: [None, value] for name, value in told.items()})
        assert emitted(acme.id)[-1] == ("grant.created", {"id": body["id"], **told})
        assert acme_admin.get(url_of(nia)).json() == {"data": [body], "next_cursor": None}
        assert acme_admin.delete(f"{url_of(nia)}/{body['id']}").status_code == 204
        assert leaves(acme.id)[-1] == ("grant.revoked", {name: [value, None] for name, value in told.items()})
        assert emitted(acme.id)[-1] == ("grant.revoked", {"id": body["id"], **told})
        assert acme_admin.delete(f"{url_of(nia)}/{body['id']}").status_code == 404

    def test_nobody_grants_what_they_have_not_for_all_of_the_tenant(self, acme, acme_admin, nia, desks) -> None:
        narrow = client_for(make_api_key(acme, role="admin", scopes=["members:read", "members:write"]))
        refused = grant(narrow, nia, "accounts:read", "account", desks[0].account.id)
        assert problem(refused) == (403, "role_exceeds_granter", "You do not have: accounts:read")
        assert acme_admin.get(url_of(nia)).json()["data"] == []
        assert "grant.created" not in actions(acme.id)

    @pytest.mark.parametrize(
        ("permission", "object_type", "status", "code"),
        [
            ("risk:write", "account", 400, "validation_failed"),
            ("audit:read", "account", 400, "validation_failed"),
            ("accounts:read", "tenant", 400, "validation_failed"),
            ("connections:read", "account", 422, "not_grantable"),
        ],
    )
    def test_what_cannot_be_granted(self, permission, object_type, status, code, acme_admin, nia, desks) -> None:
        assert problem(grant(acme_admin, nia, permission, object_type, desks[0].account.id))[:2] == (status, code)
        assert acme_admin.get(url_of(nia)).json()["data"] == []

    def test_what_is_not_there_or_another_tenants_is_a_404(self, acme_admin, nia, desks, globex) -> None:
        theirs = make_account(globex)
        for object_type, object_id in (
            ("account", theirs.id),
            ("account", uuid4()),
            ("account", desks[0].connection.id),
            ("connection", theirs.connection_id),
        ):
            assert grant(acme_admin, nia, "accounts:read", object_type, object_id).status_code == 404
        nobody = f"{API}/members/{uuid4()}/grants"
        assert (acme_admin.get(nobody).status_code, acme_admin.post(nobody, {}, format="json").status_code) == (
            404,
            404,
        )

    def test_once(self, acme_admin, nia, desks) -> None:
        answers = [grant(acme_admin, nia, "accounts:read", "account", desks[0].account.id) for _ in range(2)]
        assert (answers[0].status_code, problem(answers[1])[:2]) == (201, (409, "already_granted"))

    def test_it_ends_with_the_membership(self, acme, acme_admin, nia, desks) -> None:
        grant(acme_admin, nia, "accounts:read", "account", desks[0].account.id)
        assert acme_admin.delete(f"{API}/members/{nia.id}").status_code == 204
        with tenant_scope(acme.id):
            assert ObjectGrant.objects.count() == 0


class TestSeeing:
    def test_nothing_without_a_grant_and_the_object_alone_with_one(self, acme_admin, nia, desks) -> None:
        client, (first, second) = signed_in("nia"), desks
        assert client.get(f"{API}/accounts").status_code == 403
        granted = grant(acme_admin, nia, "accounts:read", "account", first.account.id).json()
        assert ids_of(client, "accounts") == [str(first.account.id)]
        assert [row["account_id"] for row in client.get(f"{API}/holdings").json()["data"]] == [str(first.account.id)]
        assert client.get(f"{API}/accounts/{first.account.id}").status_code == 200
        theirs, none = (client.get(f"{API}/accounts/{id_}") for id_ in (second.account.id, uuid4()))
        assert problem(theirs) == problem(none)
        assert problem(none)[:2] == (404, "not_found")
        for path in ("transactions", "orders", "fills", "positions", "connections", "events", "audit/entries"):
            assert client.get(f"{API}/{path}").status_code == 403, path
        acme_admin.delete(f"{url_of(nia)}/{granted['id']}")
        assert client.get(f"{API}/accounts").status_code == 403

    def test_a_connection_brings_its_accounts_along_later_ones_too(self, acme, acme_admin, nia) -> None:
        account = make_account(acme)
        make_account(acme)
        grant(acme_admin, nia, "transactions:read", "connection", account.connection_id)
        later = make_account(acme, connection=account.connection, external_id="later")
        rows = [make_transaction(found) for found in (account, later)]
        assert set(ids_of(signed_in("nia"), "transactions")) == {str(row.id) for row in rows}

    def test_orders_of_the_account_and_what_came_of_them(self, acme_admin, nia, desks) -> None:
        client, (first, _second) = signed_in("nia"), desks
        grant(acme_admin, nia, "orders:read", "account", first.account.id)
        for path in ("orders", "fills", "positions"):
            rows = client.get(f"{API}/{path}").json()["data"]
            assert len(rows) == 1, path
        mine, theirs = (acme_admin.get(f"{API}/orders").json()["data"][place]["id"] for place in (1, 0))
        assert client.get(f"{API}/orders/{mine}/events").status_code == 200
        assert client.get(f"{API}/orders/{theirs}").status_code == 404
        assert client.get(f"{API}/orders/{theirs}/events").status_code == 404

    def test_whoever_holds_it_for_all_is_not_limited_by_a_grant(self, acme, acme_admin, desks) -> None:
        user = make_member(acme, "vera", "viewer")
        with tenant_scope(acme.id):
            vera = Membership.objects.get(user_id=user.id)
        grant(acme_admin, vera, "accounts:read", "account", desks[0].account.id)
        assert len(ids_of(signed_in("vera"), "accounts")) == 2

    def test_no_route_has_a_trace_of_another_account_and_none_that_writes_opens(self, acme_admin, nia, desks) -> None:
        """Every route of the API, with everything granted that can be."""
        first, second = desks
        grant_all(acme_admin, nia, first)
        client, before = signed_in("nia"), actions(first.tenant.id)
        theirs = second.account.id
        telling = {str(theirs), str(second.connection.id), "Second desk", f"order of {theirs}", f"holding of {theirs}"}
        seen = 0
        for route in ROUTES:
            if route.is_tenants and not route.parameters and hasattr(route.view, "get"):
                answer = client.get(route.url({}))
                text = answer.content.decode()
                assert answer.status_code in (200, 403), route.path
                assert {word for word in telling if word in text} == set(), route.path
                seen += str(first.account.id) in text
        assert seen >= 5
        for route, method in OPERATIONS:
            if route.is_tenants and method != "GET":
                ids = dict.fromkeys(route.parameters, theirs)
                # Of another account: what can be granted to write finds nothing there, and all else is refused.
                body, headers = {"account_id": str(theirs)}, {"Idempotency-Key": f"{method} {route.path}"}
                answer = getattr(client, method.lower())(route.url(ids), body, format="json", headers=headers)
                own, granted = route.path.startswith(("auth/", "me")), route.path.startswith(("orders", "transactions"))
                assert own or answer.status_code == (404 if granted else 403), (route.path, method)
        assert [action for action in actions(first.tenant.id)[len(before) :] if action.split(".")[0] != "session"] == []

    def test_transactions_are_annotated_where_that_is_granted(self, acme, acme_admin, nia, desks) -> None:
        first, second = (make_transaction(desk.account, external_id="coffee") for desk in desks)
        grant(acme_admin, nia, "transactions:write", "account", desks[0].account.id)
        client, before = signed_in("nia"), actions(acme.id)
        theirs, none = (
            client.patch(f"{API}/transactions/{id_}", {"note": "x" * 9999}, format="json")
            for id_ in (second.id, uuid4())
        )
        assert problem(theirs) == problem(none)
        assert (problem(none)[:2], actions(acme.id)) == ((404, "not_found"), before)
        answer = client.patch(f"{API}/transactions/{first.id}", {"note": "with Ada"}, format="json")
        assert (answer.status_code, answer.json()["note"]) == (200, "with Ada")
        assert client.get(f"{API}/transactions/{first.id}").status_code == 403  # to read takes a grant of its own

    def test_ones_own_are_among_who_one_is(self, acme, acme_admin, nia, desks) -> None:
        first, second = desks
        grant(acme_admin, nia, "orders:write", "account", first.account.id)
        grant(acme_admin, nia, "orders:read", "connection", second.connection.id)
        grant(acme_admin, nia, "orders:read", "account", first.account.id)
        accounts = sorted(str(desk.account.id) for desk in desks)
        assert signed_in("nia").get(f"{API}/me").json()["grants"] == [
            {"permission": "orders:read", "accounts": accounts, "connections": [str(second.connection.id)]},
            {"permission": "orders:write", "accounts": [str(first.account.id)], "connections": []},
        ]
        assert acme_admin.get(f"{API}/me").json()["grants"] == []

    def test_whoever_has_no_grant_pays_no_query_for_them(self, acme, acme_admin, nia, desks) -> None:
        make_member(acme, "vera", "viewer")
        counts = []
        for name, path in (("vera", "accounts"), ("nia", "accounts")):
            grant(acme_admin, nia, "accounts:read", "account", desks[0].account.id)
            client = signed_in(name)
            with CaptureQueriesContext(connection) as captured:
                client.get(f"{API}/{path}")
            counts.append(len(captured))
        assert counts[0] == counts[1]


@pytest.mark.commits
def test_the_database_lets_the_role_of_grantees_write_nothing(acme: Tenant) -> None:
    account = make_account(acme)
    for statement in (
        "UPDATE accounts_account SET name = 'x'",
        "DELETE FROM accounts_account",
        "SELECT * FROM audit_entry",
    ):
        with (
            pytest.raises(DatabaseError, match="permission denied"),
            tenant_scope(acme.id),
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT set_config('role', 'finops_web', true)")
            cursor.execute("SELECT set_config('role', 'finops_grantee', true)")
            cursor.execute(statement)
    with tenant_scope(acme.id), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('role', 'finops_grantee', true)")
        cursor.execute("SELECT count(*) FROM accounts_account")
        assert cursor.fetchone() == (0,), account
