"""GET and POST /api-keys, DELETE /api-keys/{id}."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.core.scope import tenant_scope
from apps.tenants.models import ApiKey, Tenant
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member
from tests.tenants.api.calls import field_errors, problem, signed_in
from tests.tenants.records import actions, emitted

KEYS = "/api/v1/api-keys"
BODY = {"name": "robot", "mode": "test", "scopes": ["tenant:read", "accounts:read"]}
FIELDS = {
    "id",
    "name",
    "mode",
    "prefix",
    "scopes",
    "allowed_networks",
    "expires_at",
    "last_used_at",
    "revoked_at",
    "replaced_by",
    "created_by",
    "version",
    "created_at",
    "updated_at",
}


def create(client: APIClient, key: str = "", **values: Any) -> Any:
    headers: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(KEYS, {**BODY, **values}, format="json", **headers)


def count(tenant: Tenant) -> int:
    with tenant_scope(tenant.id):
        return ApiKey.objects.count()


class TestCreate:
    def test_the_secret_is_shown_once_and_works(self, acme: Tenant, acme_admin: APIClient) -> None:
        response = create(acme_admin, allowed_networks=["127.0.0.0/8"], expires_at="2126-03-02T12:00:00Z")
        body = response.json()
        assert response.status_code == 201
        assert set(body) == FIELDS | {"secret"}
        assert (body["name"], body["mode"], body["created_by"], body["version"]) == ("robot", "test", "acme admin", 1)
        assert body["scopes"] == ["accounts:read", "tenant:read"]
        assert (body["allowed_networks"], body["expires_at"]) == (["127.0.0.0/8"], "2126-03-02T12:00:00Z")
        assert body["secret"].startswith(body["prefix"])
        assert response["Cache-Control"] == "no-store"
        assert client_for(body["secret"]).get("/api/v1/tenant").status_code == 200
        assert body["secret"] not in acme_admin.get(KEYS).content.decode()
        assert actions(acme.id)[-1] == emitted(acme.id)[-1][0] == "api_key.created"

    def test_without_a_mode_it_is_a_test_key(self, acme: Tenant, acme_admin: APIClient) -> None:
        body = acme_admin.post(KEYS, {"name": "robot", "scopes": ["tenant:read"]}, format="json").json()
        assert (body["mode"], body["secret"][:9]) == ("test", "fop_test_")

    def test_a_repeated_request_gets_the_first_answer_and_makes_no_second_key(
        self, acme: Tenant, acme_admin: APIClient
    ) -> None:
        first, second = create(acme_admin, "k-1"), create(acme_admin, "k-1")
        assert first.status_code == second.status_code == 201
        assert first.content == second.content
        assert second["Idempotency-Replayed"] == "true"
        assert count(acme) == 2

    def test_a_user_creates_keys_within_their_role(self, acme: Tenant) -> None:
        make_member(acme, "ada", "owner")
        assert create(signed_in("ada"), mode="live").json()["created_by"] == "ada"

    def test_a_key_cannot_grant_what_it_lacks(self, acme: Tenant) -> None:
        client = client_for(make_api_key(acme, scopes=["api_keys:write", "tenant:read"]))
        assert problem(create(client)) == (403, "api_key_exceeds_creator", "You do not have: accounts:read")
        assert problem(create(client, scopes=["tenant:read"], mode="live"))[:2] == (403, "api_key_exceeds_creator")
        assert count(acme) == 1

    @pytest.mark.parametrize(
        ("values", "code", "errors"),
        [
            ({"name": ""}, "validation_failed", [("name", "blank")]),
            ({"mode": "paper"}, "validation_failed", [("mode", "invalid_choice")]),
            ({"scopes": []}, "validation_failed", [("scopes", "empty")]),
            ({"scopes": "tenant:read"}, "validation_failed", [("scopes", "not_a_list")]),
            ({"expires_at": "tomorrow"}, "validation_failed", [("expires_at", "invalid")]),
            ({"secret": "fop_test_mine"}, "validation_failed", [("secret", "unknown_field")]),
            ({"scopes": ["tenant:own"]}, "unknown_scope", [("scopes", "unknown_scope")]),
            ({"allowed_networks": ["10.0.0.1/8"]}, "invalid_network", [("allowed_networks", "invalid_network")]),
        ],
    )
    def test_values_that_are_not_valid(
        self, acme: Tenant, acme_admin: APIClient, values: dict[str, Any], code: str, errors: list[tuple[str, str]]
    ) -> None:
        response = create(acme_admin, **values)
        assert (problem(response)[:2], field_errors(response)) == ((400, code), errors)
        assert count(acme) == 1

    def test_an_expiry_in_the_past(self, acme_admin: APIClient) -> None:
        assert problem(create(acme_admin, expires_at="2020-01-01T00:00:00Z"))[:2] == (400, "expiry_in_the_past")


class TestList:
    def test_newest_first_without_secrets(self, acme: Tenant, globex: Tenant, acme_admin: APIClient) -> None:
        make_api_key(globex, name="foreign")
        make_api_key(acme, "viewer", name="newest")
        body = acme_admin.get(KEYS).json()
        assert [key["name"] for key in body["data"]] == ["newest", "acme admin"]
        assert all(set(key) == FIELDS for key in body["data"])
        assert body["data"][0]["last_used_at"] is None
        assert body["data"][1]["last_used_at"] is not None

    def test_pages(self, acme: Tenant, acme_admin: APIClient) -> None:
        make_api_key(acme, name="newest")
        page = acme_admin.get(KEYS, {"limit": 1}).json()
        rest = acme_admin.get(KEYS, {"limit": 1, "cursor": page["next_cursor"]}).json()
        assert [key["name"] for key in page["data"] + rest["data"]] == ["newest", "acme admin"]
        assert rest["next_cursor"] is None


class TestRevoke:
    def test_a_revoked_key_is_refused_at_once_and_stays_listed(self, acme: Tenant, acme_admin: APIClient) -> None:
        created = create(acme_admin).json()
        for _ in range(2):
            response = acme_admin.delete(f"{KEYS}/{created['id']}")
            assert (response.status_code, response.content) == (204, b"")
        refused = client_for(created["secret"]).get("/api/v1/me")
        assert problem(refused) == (401, "authentication_required", "The API key is revoked.")
        (listed,) = [key for key in acme_admin.get(KEYS).json()["data"] if key["id"] == created["id"]]
        assert (listed["version"], listed["revoked_at"]) == (2, listed["updated_at"])
        assert actions(acme.id)[-2:] == ["api_key.created", "api_key.revoked"]

    def test_another_tenants_key_is_not_there(self, acme: Tenant, globex_admin: APIClient) -> None:
        make_api_key(acme)
        with tenant_scope(acme.id):
            foreign = ApiKey.objects.get().id
        for key_id in (foreign, uuid4()):
            assert problem(globex_admin.delete(f"{KEYS}/{key_id}"))[:2] == (404, "not_found")
        with tenant_scope(acme.id):
            assert ApiKey.objects.get().revoked_at is None


def test_only_owners_and_admins_handle_keys(acme: Tenant, acme_trader: APIClient, anonymous: APIClient) -> None:
    for client, refused in [(acme_trader, (403, "permission_denied")), (anonymous, (401, "authentication_required"))]:
        assert problem(client.get(KEYS))[:2] == refused
        assert problem(create(client, name=""))[:2] == refused
        assert problem(client.delete(f"{KEYS}/{uuid4()}"))[:2] == refused
    assert count(acme) == 1
