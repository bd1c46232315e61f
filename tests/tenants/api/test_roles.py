"""GET /permissions; GET and POST /roles; GET, PATCH and DELETE /roles/{id}; and members who have such a role."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.permissions import Permission
from apps.core.scope import tenant_scope
from apps.tenants.enums import Meter, Plan, Role
from apps.tenants.models import Invitation, Membership, Tenant, TenantRole
from apps.tenants.services import set_plan
from apps.users.models import User
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_invitation, make_member, make_role
from tests.factories.users import make_user
from tests.tenants.api.calls import field_errors, problem, signed_in
from tests.tenants.records import actions, emitted, leaves
from tests.tenants.test_services import SYSTEM

ROLES = "/api/v1/roles"
DESK = {"slug": "night-desk", "name": "Night desk", "permissions": ["orders:read", "audit:read"]}
AT_NIGHT = {"type": "hours", "time_zone": "Europe/Berlin", "days": ["mon", "fri"], "from": "22:00", "to": "06:00"}


@pytest.fixture
def olga(acme: Tenant) -> User:
    return make_member(acme, "olga", "owner")


def define(client: APIClient, **changes: Any) -> Any:
    return client.post(ROLES, {**DESK, **changes}, format="json")


def count(tenant: Tenant) -> int:
    with tenant_scope(tenant.id):
        return TenantRole.objects.count()


class TestPermissions:
    def test_each_with_what_it_lets_one_do_and_the_built_in_roles_that_give_it(self, acme_viewer: APIClient) -> None:
        body = acme_viewer.get("/api/v1/permissions").json()
        assert (len(body["data"]), body["next_cursor"]) == (len(Permission), None)
        assert [row["name"] for row in body["data"]] == sorted(row["name"] for row in body["data"])
        (orders,) = [row for row in body["data"] if row["name"] == "orders:write"]
        assert orders == {
            "name": "orders:write",
            "area": "Orders and risk",
            "description": "Place, replace and cancel orders.",
            "conditions": ["own", "amount_below", "hours"],
            "grantable_for": ["account", "connection"],
            "roles": ["owner", "admin", "trader"],
        }

    def test_in_pages(self, acme_viewer: APIClient) -> None:
        first = acme_viewer.get("/api/v1/permissions", {"limit": len(Permission) - 1}).json()
        second = acme_viewer.get("/api/v1/permissions", {"cursor": first["next_cursor"]}).json()
        assert [row["name"] for row in second["data"]] == ["webhooks:write"]
        assert second["next_cursor"] is None


class TestDefining:
    def test_it_is_told_with_a_leaf_and_an_event(self, acme: Tenant, acme_admin: APIClient) -> None:
        response = define(acme_admin, conditions={"audit:read": [AT_NIGHT]})
        body = response.json()
        told = {**DESK, "permissions": ["audit:read", "orders:read"], "conditions": {"audit:read": [AT_NIGHT]}}
        assert (response.status_code, response["ETag"]) == (201, '"1"')
        assert body == {**told, "members": 0, **{name: body[name] for name in ("id", "created_at", "updated_at")}} | {
            "version": 1
        }
        assert leaves(acme.id)[-1] == ("role.created", {name: [None, value] for name, value in told.items()})
        assert emitted(acme.id)[-1] == ("role.created", {"id": body["id"], **told})
        assert acme_admin.get(ROLES).json()["data"] == [body] == [acme_admin.get(f"{ROLES}/{body['id']}").json()]

    def test_unknown_permissions_are_refused_by_name(self, acme: Tenant, acme_admin: APIClient) -> None:
        response = define(acme_admin, permissions=["orders:read", "orders:fly", "a:b"])
        assert problem(response)[:2] == (400, "unknown_permission")
        assert [error["message"] for error in response.json()["errors"]] == ["a:b", "orders:fly"]
        assert (count(acme), actions(acme.id)[-1]) == (0, "api_key.created")

    @pytest.mark.parametrize("slug", Role.values)
    def test_no_built_in_role_is_defined_anew(self, acme: Tenant, acme_admin: APIClient, slug: str) -> None:
        assert problem(define(acme_admin, slug=slug))[:2] == (409, "role_name_taken")
        assert (count(acme), actions(acme.id)[-1]) == (0, "api_key.created")

    def test_a_slug_is_taken_once_per_tenant(
        self, acme: Tenant, acme_admin: APIClient, globex_admin: APIClient
    ) -> None:
        assert define(acme_admin).status_code == define(globex_admin).status_code == 201
        assert problem(define(acme_admin))[:2] == (409, "role_name_taken")
        assert count(acme) == 1

    def test_nobody_defines_what_they_have_not(self, acme: Tenant) -> None:
        client = client_for(make_api_key(acme, scopes=["members:write", "orders:read"]))
        status, code, detail = problem(define(client))
        assert (status, code, detail) == (403, "role_exceeds_granter", "You do not have: audit:read")
        assert count(acme) == 0
        assert define(client, permissions=["orders:read"]).status_code == 201

    @pytest.mark.parametrize(
        ("conditions", "field", "code"),
        [
            ({"orders:write": [{"type": "own"}]}, "conditions.orders:write", "not_given"),
            ({"orders:read": [{"type": "own"}]}, "conditions.orders:read", "not_judged"),
            ({"orders:read": [AT_NIGHT, AT_NIGHT]}, "conditions.orders:read", "repeated"),
            ({"orders:read": [{**AT_NIGHT, "time_zone": "Europe/Atlantis"}]}, "conditions", "invalid"),
            ({"orders:read": [{**AT_NIGHT, "time_zone": "../../etc/passwd"}]}, "conditions", "invalid"),
            ({"orders:read": [{**AT_NIGHT, "time_zone": "localtime"}]}, "conditions", "invalid"),
            ({"orders:read": [{**AT_NIGHT, "days": []}]}, "conditions", "invalid"),
            ({"orders:read": [{**AT_NIGHT, "from": "9:00"}]}, "conditions", "invalid"),
            ({"orders:read": [{**AT_NIGHT, "until": "now"}]}, "conditions", "invalid"),
            ({"orders:read": [{"type": "amount_below", "amount": "0.00"}]}, "conditions", "invalid"),
            ({"orders:read": [{"type": "amount_below", "amount": "1e9"}]}, "conditions", "invalid"),
            ({"orders:read": [{"type": "moon"}]}, "conditions", "invalid"),
            ({"orders:read": AT_NIGHT}, "conditions", "invalid"),
            ([], "conditions", "invalid"),
        ],
    )
    def test_a_condition_stands_where_it_can_be_judged(
        self, acme: Tenant, acme_admin: APIClient, conditions: Any, field: str, code: str
    ) -> None:
        response = define(acme_admin, conditions=conditions)
        assert (problem(response)[:2], field_errors(response)) == ((400, "validation_failed"), [(field, code)])
        assert count(acme) == 0

    def test_one_more_than_the_plan_allows_is_refused(self, acme: Tenant, acme_admin: APIClient) -> None:
        make_role(acme, "first", ["orders:read"])
        overrides, now = {Meter.ROLES: 1}, clock.now()
        set_plan(tenant_id=acme.id, plan=Plan.FREE, overrides=overrides, reason="a deal", actor=SYSTEM, now=now)
        assert problem(define(acme_admin))[1:] == (
            "limit_reached",
            "Your plan's limit is reached: 1 roles of its own.",
        )
        assert count(acme) == 1


class TestHaving:
    def test_a_member_may_do_what_it_gives_and_a_change_holds_from_the_next_request_on(
        self, acme: Tenant, acme_admin: APIClient
    ) -> None:
        role = make_role(acme, "night-desk", ["orders:read"])
        make_member(acme, "nia", "night-desk")
        nia = signed_in("nia")
        me = nia.get("/api/v1/me").json()
        assert (me["role"], me["permissions"]) == ("night-desk", ["orders:read"])
        assert (nia.get("/api/v1/orders").status_code, nia.get("/api/v1/risk/decisions").status_code) == (200, 403)
        body = {"name": "Night watch", "permissions": ["risk:read"]}
        changed = acme_admin.patch(f"{ROLES}/{role.id}", body, format="json")
        assert (changed.status_code, changed["ETag"], changed.json()["members"]) == (200, '"2"', 1)
        assert (nia.get("/api/v1/orders").status_code, nia.get("/api/v1/risk/decisions").status_code) == (403, 200)
        assert leaves(acme.id)[-1] == (
            "role.changed",
            {"name": ["Night Desk", "Night watch"], "permissions": [["orders:read"], ["risk:read"]]},
        )
        assert emitted(acme.id)[-1][1]["permissions"] == ["risk:read"]

    def test_a_refusal_names_role_and_permission(self, acme: Tenant) -> None:
        make_role(acme, "night-desk", ["orders:read"])
        make_member(acme, "nia", "night-desk")
        assert problem(signed_in("nia").get("/api/v1/accounts")) == (
            403,
            "permission_denied",
            "The role night-desk does not give accounts:read.",
        )

    def test_members_get_it_and_lose_it_by_its_slug(self, acme: Tenant, acme_admin: APIClient) -> None:
        make_role(acme, "night-desk", ["orders:read"])
        make_member(acme, "vic", "viewer")
        with tenant_scope(acme.id):
            address = f"/api/v1/members/{Membership.objects.get().id}"
        assert acme_admin.patch(address, {"role": "night-desk"}, format="json").json()["role"] == "night-desk"
        assert leaves(acme.id)[-1] == ("member.role_changed", {"role": ["viewer", "night-desk"]})
        assert acme_admin.get(address).json()["role"] == "night-desk"
        assert acme_admin.patch(address, {"role": "billing"}, format="json").json()["role"] == "billing"
        with tenant_scope(acme.id):
            assert Membership.objects.get().tenant_role_id is None

    def test_invitations_offer_it(self, acme: Tenant, acme_admin: APIClient) -> None:
        make_role(acme, "night-desk", ["orders:read"])
        _invitation, token = make_invitation(acme, "nia@example.com", "night-desk")
        make_user("nia")
        accepted = signed_in_nobody().post(
            "/api/v1/invitations/accept",
            {"token": token, "username": "newcomer", "password": "a long one of four words"},
            format="json",
        )
        assert (accepted.status_code, accepted.json()["member"]["role"]) == (201, "night-desk")

    def test_another_tenants_role_is_none(self, acme: Tenant, globex: Tenant, acme_admin: APIClient) -> None:
        make_role(globex, "night-desk", ["orders:read"])
        body = {"email": "nia@example.com", "role": "night-desk"}
        response = acme_admin.post("/api/v1/invitations", body, format="json")
        assert (problem(response)[:2], field_errors(response)) == (
            (400, "validation_failed"),
            [("role", "invalid_choice")],
        )

    def test_nobody_hands_on_what_they_have_not(self, acme: Tenant) -> None:
        make_role(acme, "auditor", ["audit:read"])
        make_role(acme, "host", ["members:read", "members:write"])
        make_member(acme, "hal", "host")
        body = {"email": "nia@example.com", "role": "auditor"}
        refused = problem(signed_in("hal").post("/api/v1/invitations", body, format="json"))
        assert refused == (403, "role_exceeds_granter", "You do not have: audit:read")
        with tenant_scope(acme.id):
            assert not Invitation.objects.exists()

    def test_whoever_has_it_under_a_condition_hands_it_on_under_the_same(self, acme: Tenant) -> None:
        always = {"type": "hours", "time_zone": "UTC", "days": [*_DAYS], "from": "00:00", "to": "24:00"}
        host = ["members:read", "members:write", "api_keys:write", "audit:read"]
        make_role(acme, "host", host, conditions={"audit:read": [always]})
        make_role(acme, "free-auditor", ["audit:read"])
        make_role(acme, "bound-auditor", ["audit:read"], conditions={"audit:read": [always]})
        make_member(acme, "hal", "host")
        hal = signed_in("hal")
        for role, status in (("free-auditor", 403), ("bound-auditor", 201)):
            body = {"email": f"{role}@example.com", "role": role}
            assert hal.post("/api/v1/invitations", body, format="json").status_code == status
        # An API key knows no conditions.
        key = {"name": "robot", "mode": "test", "scopes": ["audit:read"]}
        assert problem(hal.post("/api/v1/api-keys", key, format="json"))[1:] == (
            "api_key_exceeds_creator",
            "You do not have: audit:read",
        )


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def signed_in_nobody() -> APIClient:
    return client_for()


class TestChanging:
    def test_nobody_changes_the_role_that_they_have(self, acme: Tenant) -> None:
        role = make_role(acme, "host", ["members:write", "orders:read"])
        make_member(acme, "hal", "host")
        response = signed_in("hal").patch(f"{ROLES}/{role.id}", {"permissions": ["members:write"]}, format="json")
        assert problem(response)[:2] == (403, "own_role")

    def test_nobody_adds_what_they_have_not_or_takes_a_condition_away(self, acme: Tenant) -> None:
        role = make_role(acme, "watch", ["orders:read"], conditions={"orders:read": [AT_NIGHT]})
        client = client_for(make_api_key(acme, scopes=["members:write"]))
        more: dict[str, Any] = {"permissions": ["orders:read", "audit:read"]}
        less: dict[str, Any] = {"conditions": {}}
        for body in (more, less):
            response = client.patch(f"{ROLES}/{role.id}", body, format="json")
            assert problem(response)[:2] == (403, "role_exceeds_granter")
        with tenant_scope(acme.id):
            assert TenantRole.objects.get().version == 1
        assert actions(acme.id)[-1] == "api_key.created"

    def test_a_stale_version_changes_nothing_and_what_is_so_already_neither(
        self, acme: Tenant, acme_admin: APIClient
    ) -> None:
        address = f"{ROLES}/{make_role(acme, 'watch', ['orders:read']).id}"
        stale = {"If-Match": '"2"'}
        assert problem(acme_admin.patch(address, {"name": "W"}, format="json", headers=stale))[0] == 412
        assert problem(acme_admin.delete(address, headers=stale))[0] == 412
        assert acme_admin.patch(address, {"permissions": ["orders:read"]}, format="json").json()["version"] == 1
        assert actions(acme.id)[-1] == "role.created"

    def test_a_condition_goes_with_its_permission(self, acme: Tenant, acme_admin: APIClient) -> None:
        role = make_role(acme, "w", ["orders:read", "risk:read"], conditions={"orders:read": [AT_NIGHT]})
        address = f"{ROLES}/{role.id}"
        response = acme_admin.patch(address, {"permissions": ["risk:read"]}, format="json")
        assert field_errors(response) == [("conditions.orders:read", "not_given")]
        body = {"permissions": ["risk:read"], "conditions": {}}
        assert acme_admin.patch(address, body, format="json").json()["conditions"] == {}


class TestDeleting:
    def test_it_is_told(self, acme: Tenant, acme_admin: APIClient) -> None:
        address = f"{ROLES}/{make_role(acme, 'watch', ['orders:read']).id}"
        assert acme_admin.delete(address).status_code == 204
        assert leaves(acme.id)[-1] == (
            "role.deleted",
            {
                "slug": ["watch", None],
                "name": ["Watch", None],
                "permissions": [["orders:read"], None],
                "conditions": [{}, None],
            },
        )
        assert emitted(acme.id)[-1][0] == "role.deleted"
        assert problem(acme_admin.get(address))[0] == problem(acme_admin.delete(address))[0] == 404

    def test_one_that_somebody_has_stays(self, acme: Tenant, acme_admin: APIClient) -> None:
        address = f"{ROLES}/{make_role(acme, 'watch', ['orders:read']).id}"
        make_member(acme, "nia", "watch")
        assert problem(acme_admin.delete(address))[:2] == (409, "role_in_use")
        assert (count(acme), actions(acme.id)[-1]) == (1, "member.added")

    def test_one_that_somebody_is_invited_to_stays_until_that_is_revoked(
        self, acme: Tenant, acme_admin: APIClient
    ) -> None:
        address = f"{ROLES}/{make_role(acme, 'watch', ['orders:read']).id}"
        invitation, _token = make_invitation(acme, "nia@example.com", "watch")
        assert problem(acme_admin.delete(address))[:2] == (409, "role_in_use")
        assert acme_admin.delete(f"/api/v1/invitations/{invitation.id}").status_code == 204
        assert acme_admin.delete(address).status_code == 204
        assert acme_admin.get(f"/api/v1/invitations/{invitation.id}").json()["role"] == "watch"

    def test_another_tenants_is_not_there(self, acme: Tenant, globex_admin: APIClient) -> None:
        role = make_role(acme, "watch", ["orders:read"])
        for address in (f"{ROLES}/{role.id}", f"{ROLES}/{uuid4()}"):
            assert problem(globex_admin.get(address))[0] == problem(globex_admin.delete(address))[0] == 404
            assert problem(globex_admin.patch(address, {"no": "field"}, format="json"))[0] == 404
        assert count(acme) == 1
