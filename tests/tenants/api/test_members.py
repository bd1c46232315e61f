"""GET and POST /members; GET, PATCH and DELETE /members/{id}."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.scope import staff_scope, tenant_scope
from apps.tenants.models import Membership, Tenant
from apps.tenants.services import engage_read_only
from apps.users.models import Session, User
from apps.users.services import refresh_session
from apps.users.types import Origin
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member
from tests.factories.users import make_user
from tests.tenants.api.calls import field_errors, problem, sign_in, signed_in
from tests.tenants.records import actions, emitted, leaves
from tests.tenants.test_services import SYSTEM

MEMBERS = "/api/v1/members"
FIELDS = {"id", "user_id", "name", "email", "role", "version", "created_at", "updated_at"}


@pytest.fixture
def olga(acme: Tenant) -> User:
    return make_member(acme, "olga", "owner")


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "admin")


@pytest.fixture
def vic(acme: Tenant) -> User:
    return make_member(acme, "vic", "viewer")


def member(tenant: Tenant, user: User) -> Membership | None:
    with tenant_scope(tenant.id):
        return Membership.objects.filter(user_id=user.id).first()


def url(tenant: Tenant, user: User) -> str:
    found = member(tenant, user)
    assert found is not None
    return f"{MEMBERS}/{found.id}"


def roles(tenant: Tenant) -> dict[str, str]:
    with tenant_scope(tenant.id):
        return dict(Membership.objects.values_list("name", "role"))


def change(client: APIClient, address: str, role: str, **headers: str) -> Any:
    return client.patch(address, {"role": role}, format="json", headers=headers)


class TestList:
    def test_newest_first(self, acme: Tenant, globex: Tenant, olga: User, vic: User, acme_admin: APIClient) -> None:
        make_member(globex, "gus", "owner")
        body = acme_admin.get(MEMBERS).json()
        assert [(row["name"], row["email"], row["role"], row["version"]) for row in body["data"]] == [
            ("Vic", "vic@example.com", "viewer", 1),
            ("Olga", "olga@example.com", "owner", 1),
        ]
        assert all(set(row) == FIELDS for row in body["data"])

    def test_one(self, acme: Tenant, vic: User, acme_admin: APIClient, globex_admin: APIClient) -> None:
        response = acme_admin.get(url(acme, vic))
        assert (response.json()["user_id"], response["ETag"]) == (str(vic.id), '"1"')
        assert problem(globex_admin.get(url(acme, vic)))[:2] == (404, "not_found")

    def test_colleagues_are_shown_to_those_alone_who_handle_members(self, acme: Tenant, vic: User) -> None:
        for client in (signed_in("vic"), client_for(make_api_key(acme, "analyst"))):
            assert problem(client.get(MEMBERS))[:2] == (403, "permission_denied")


class TestRoles:
    def test_the_new_role_holds_from_the_next_request_on(self, acme: Tenant, vic: User, acme_admin: APIClient) -> None:
        client = signed_in("vic")
        assert client.get("/api/v1/audit/entries").status_code == 403
        response = change(acme_admin, url(acme, vic), "analyst")
        assert (response.status_code, response.json()["role"], response.json()["version"]) == (200, "analyst", 2)
        assert response["ETag"] == '"2"'
        assert client.get("/api/v1/audit/entries").status_code == 200
        assert leaves(acme.id)[-1] == ("member.role_changed", {"role": ["viewer", "analyst"]})
        data = {"id": response.json()["id"], "user_id": str(vic.id), "role": "analyst"}
        assert emitted(acme.id)[-1] == ("member.role_changed", data)

    def test_the_role_that_one_has_changes_nothing(self, acme: Tenant, vic: User, acme_admin: APIClient) -> None:
        assert change(acme_admin, url(acme, vic), "viewer").json()["version"] == 1
        assert actions(acme.id)[-1] == "api_key.created"

    def test_nobody_changes_their_own(self, acme: Tenant, olga: User) -> None:
        make_member(acme, "oscar", "owner")
        assert problem(change(signed_in("olga"), url(acme, olga), "admin"))[:2] == (403, "own_role")
        assert roles(acme)["Olga"] == "owner"

    def test_nobody_grants_what_they_have_not(self, acme: Tenant, vic: User) -> None:
        client = client_for(make_api_key(acme, scopes=["members:write", "members:read", "tenant:read"]))
        assert change(client, url(acme, vic), "billing").status_code == 200
        status, code, detail = problem(change(client, url(acme, vic), "trader"))
        assert (status, code) == (403, "role_exceeds_granter")
        assert "orders:write" in detail
        assert roles(acme) == {"Vic": "billing"}

    @pytest.mark.parametrize("by", ["admin", "key"])
    def test_only_owners_make_and_unmake_owners(self, acme: Tenant, olga: User, ada: User, vic: User, by: str) -> None:
        make_member(acme, "oscar", "owner")
        client = signed_in("ada") if by == "admin" else client_for(make_api_key(acme, "owner"))
        for response in (
            change(client, url(acme, vic), "owner"),
            change(client, url(acme, olga), "viewer"),
            client.delete(url(acme, olga)),
        ):
            assert problem(response)[:2] == (403, "owners_only")
        assert roles(acme) == {"Olga": "owner", "Ada": "admin", "Vic": "viewer", "Oscar": "owner"}
        owner = signed_in("olga")
        assert change(owner, url(acme, vic), "owner").status_code == 200
        assert owner.delete(url(acme, vic)).status_code == 204

    def test_a_stale_version_changes_nothing(self, acme: Tenant, vic: User, acme_admin: APIClient) -> None:
        for response in (
            change(acme_admin, url(acme, vic), "trader", **{"If-Match": '"2"'}),
            acme_admin.delete(url(acme, vic), headers={"If-Match": '"2"'}),
        ):
            assert problem(response)[:2] == (412, "version_conflict")
        assert (roles(acme), actions(acme.id)[-1]) == ({"Vic": "viewer"}, "api_key.created")
        assert change(acme_admin, url(acme, vic), "trader", **{"If-Match": '"1"'}).status_code == 200

    def test_a_role_is_one_of_six(self, acme: Tenant, vic: User, acme_admin: APIClient) -> None:
        response = change(acme_admin, url(acme, vic), "god")
        assert (problem(response)[:2], field_errors(response)) == (
            (400, "validation_failed"),
            [("role", "invalid_choice")],
        )


class TestRemoval:
    def test_access_ends_at_once_and_does_not_come_back(
        self, acme: Tenant, globex: Tenant, vic: User, acme_admin: APIClient
    ) -> None:
        make_member(globex, "", "viewer", user=vic)
        tokens, elsewhere = sign_in("vic", tenant="acme").json(), signed_in("vic", tenant="globex")
        assert acme_admin.delete(url(acme, vic)).status_code == 204
        client = client_for(tokens["access"])
        assert problem(client.get("/api/v1/me"))[:2] == (401, "authentication_required")
        make_member(acme, "", "viewer", user=vic)
        assert client.get("/api/v1/me").status_code == 401
        assert refresh_session(refresh=tokens["refresh"], origin=Origin(), now=clock.now()) is None
        assert elsewhere.get("/api/v1/me").status_code == 200

    def test_it_is_told_with_the_sessions_that_ended(self, acme: Tenant, vic: User, acme_admin: APIClient) -> None:
        signed_in("vic")
        gone = member(acme, vic)
        assert gone is not None
        acme_admin.delete(f"{MEMBERS}/{gone.id}")
        assert leaves(acme.id)[-2:] == [
            ("member.removed", {"user_id": [str(vic.id), None], "role": ["viewer", None]}),
            ("session.revoked", {"user_id": [None, str(vic.id)], "reason": [None, "member_removed"]}),
        ]
        data = {"id": str(gone.id), "user_id": str(vic.id), "role": "viewer"}
        assert emitted(acme.id)[-1] == ("member.removed", data)
        assert problem(acme_admin.delete(f"{MEMBERS}/{gone.id}"))[:2] == (404, "not_found")

    def test_the_last_owner_stays(self, acme: Tenant, olga: User) -> None:
        client = signed_in("olga")
        assert problem(client.delete(url(acme, olga)))[:2] == (409, "last_owner")
        assert Session.objects.filter(user=olga, revoked_at=None).count() == 1
        make_member(acme, "oscar", "owner")
        assert client.delete(url(acme, olga)).status_code == 204
        assert roles(acme) == {"Oscar": "owner"}

    def test_it_works_while_writing_is_off(self, acme: Tenant, vic: User, acme_admin: APIClient) -> None:
        address = url(acme, vic)
        engage_read_only(tenant_id=acme.id, reason="drill", actor=SYSTEM, now=clock.now())
        assert problem(change(acme_admin, address, "trader"))[:2] == (503, "read_only")
        assert acme_admin.delete(address).status_code == 204

    def test_another_tenants_member_is_not_there(self, acme: Tenant, vic: User, globex_admin: APIClient) -> None:
        for address in (url(acme, vic), f"{MEMBERS}/{uuid4()}"):
            assert problem(globex_admin.delete(address))[:2] == (404, "not_found")
            assert problem(change(globex_admin, address, "no role"))[:2] == (404, "not_found")
        assert roles(acme) == {"Vic": "viewer"}


class TestAdding:
    """A colleague is who belongs to another tenant in which the asking user handles members."""

    def add(self, username: str, role: str = "trader") -> Any:
        return signed_in("olga", tenant="acme").post(MEMBERS, {"username": username, "role": role}, format="json")

    def test_a_colleague_joins(self, acme: Tenant, globex: Tenant, olga: User) -> None:
        make_member(globex, "", "admin", user=olga)
        gus = make_member(globex, "gus", "viewer")
        response = self.add("gus")
        body = response.json()
        assert (response.status_code, response["ETag"]) == (201, '"1"')
        assert (body["user_id"], body["name"], body["email"]) == (str(gus.id), "Gus", "gus@example.com")
        assert roles(acme) == {"Olga": "owner", "Gus": "trader"}
        changes = {"user_id": [None, str(gus.id)], "role": [None, "trader"]}
        assert leaves(acme.id)[-1] == ("member.added", changes)
        assert problem(self.add("gus"))[:2] == (409, "already_a_member")

    def test_all_others_are_as_if_they_did_not_exist(self, acme: Tenant, globex: Tenant, olga: User) -> None:
        make_member(globex, "", "viewer", user=olga)  # sees globex, and handles nobody there
        make_member(globex, "gus", "viewer")
        make_user("nobodys")
        told = {problem(self.add(name)) for name in ("gus", "nobodys", "no-such-name")}
        assert told == {(400, "unknown_colleague", "Nobody whom you can add by name")}
        with staff_scope():
            assert Membership.objects.filter(tenant_id=acme.id).count() == 1
        assert "member.added" not in [type for type, _data in emitted(acme.id)[2:]]

    def test_a_key_knows_no_other_tenant(self, acme: Tenant, acme_admin: APIClient) -> None:
        response = acme_admin.post(MEMBERS, {"username": "gus", "role": "viewer"}, format="json")
        assert problem(response)[:2] == (403, "permission_denied")


def test_ids_are_those_of_memberships(acme: Tenant, vic: User, acme_admin: APIClient) -> None:
    assert UUID(acme_admin.get(MEMBERS).json()["data"][0]["id"]) != vic.id
