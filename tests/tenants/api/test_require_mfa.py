"""A tenant that wants a second factor of every member: whoever has none reaches nothing but what adds one."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.models import Tenant
from apps.users.models import Authenticator, User
from apps.users.services import add_totp_device
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member
from tests.matrix.routes import OPERATIONS
from tests.tenants.api.calls import problem, sign_in, signed_in
from tests.tenants.api.test_auth_factors import FACTORS, enrol
from tests.tenants.records import emitted, leaves

TENANT = "/api/v1/tenant"


@pytest.fixture
def owner(acme: Tenant) -> APIClient:
    make_member(acme, "olivia", "owner")
    return signed_in("olivia")


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "trader")


def change(client: APIClient, require_mfa: bool = True, headers: dict[str, str] | None = None) -> Any:
    return client.patch(TENANT, {"require_mfa": require_mfa}, format="json", headers=headers)


def test_an_owner_asks_for_it_and_all_are_told(owner: APIClient, acme: Tenant) -> None:
    add_totp_device(user=User.objects.get(username="olivia"), actor=system_actor("tests"), now=clock.now())
    answer = change(owner, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer["ETag"], answer.json()["require_mfa"]) == (200, '"2"', True)
    assert leaves(acme.id)[-1] == ("tenant.policy_changed", {"require_mfa": [False, True]})
    assert emitted(acme.id)[-1] == ("tenant.policy_changed", {"id": str(acme.id), "require_mfa": True})
    assert change(owner).json()["version"] == 2, "what is so already leaves no trace"


@pytest.mark.parametrize("role", ["trader", "viewer"])
def test_others_do_not_change_it(acme: Tenant, role: str) -> None:
    make_member(acme, "eve", role)
    assert problem(change(signed_in("eve")))[:2] == (403, "permission_denied")
    assert client_for(make_api_key(acme, "admin")).get(TENANT).json()["require_mfa"] is False


def test_an_api_key_does_not_change_it_but_goes_on_working(acme_admin: APIClient, owner: APIClient) -> None:
    assert problem(change(acme_admin))[:2] == (403, "permission_denied")
    change(owner)
    assert acme_admin.get(TENANT).json()["require_mfa"] is True


def test_open_sessions_without_a_factor_are_reduced_at_once_on_every_route(owner: APIClient, ada: User) -> None:
    client = signed_in("ada")
    assert client.get(TENANT).status_code == 200
    change(owner)
    open_to_them = set()
    for route, method in OPERATIONS:
        if not route.is_tenants:
            continue
        url = route.url(dict.fromkeys(route.parameters, ada.id))
        answer = client.generic(method, url)
        if answer.status_code == 403 and answer.json()["code"] == "second_factor_required":
            assert answer.json()["enrol_at"] == f"http://testserver{FACTORS}/totp"
            continue
        open_to_them.add((method, route.path))
    assert open_to_them == {
        ("GET", "me"),
        ("GET", "auth/factors"),
        ("DELETE", "auth/factors/{factor_id}"),
        ("POST", "auth/factors/passkeys"),
        ("POST", "auth/factors/passkeys/{challenge_id}/confirm"),
        ("POST", "auth/factors/recovery-codes"),
        ("POST", "auth/factors/totp"),
        ("POST", "auth/factors/totp/{factor_id}/confirm"),
        ("POST", "auth/reauthenticate"),
        ("POST", "auth/reauthenticate/challenge"),
        ("POST", "auth/reauthenticate/passkey"),
    }
    assert client.get("/api/v1/me").json()["permissions"] == []


def test_enrolling_opens_the_same_session(owner: APIClient, ada: User) -> None:
    change(owner)
    client = client_for(sign_in("ada").json()["access"])
    assert problem(client.get(TENANT))[:2] == (403, "second_factor_required")
    device, _enrolled = enrol(client)
    assert client.get(TENANT).status_code == 200
    assert client.delete(f"{FACTORS}/{device.id}").status_code == 204
    assert problem(client.get(TENANT))[:2] == (403, "second_factor_required")


def test_an_authenticator_that_is_not_confirmed_does_not_count(owner: APIClient, ada: User) -> None:
    change(owner)
    client = signed_in("ada")
    client.post(f"{FACTORS}/totp")
    assert Authenticator.objects.count() == 1
    assert problem(client.get(TENANT))[:2] == (403, "second_factor_required")


def test_it_holds_in_this_tenant_alone(owner: APIClient, ada: User, globex: Tenant) -> None:
    make_member(globex, "ada", "viewer", user=ada)
    change(owner)
    assert signed_in("ada", tenant="globex").get(TENANT).status_code == 200
    assert problem(signed_in("ada", tenant="acme").get(TENANT))[:2] == (403, "second_factor_required")


def test_it_is_taken_back(owner: APIClient, ada: User) -> None:
    enrol(owner)
    client = signed_in("ada")
    change(owner)
    assert change(owner, require_mfa=False).status_code == 200
    assert client.get(TENANT).status_code == 200
