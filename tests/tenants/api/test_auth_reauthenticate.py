"""Sensitive changes want a fresh proof of who asks, and POST /auth/reauthenticate renews it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.api.views import TenantView
from apps.core.scope import tenant_scope
from apps.tenants.models import Invitation, Tenant
from apps.users.models import Session, User
from apps.users.services import add_totp_device
from tests.backoffice.staff import code_of, wait_for_fresh_period
from tests.factories.tenants import make_member
from tests.factories.users import PASSWORD
from tests.matrix.routes import OPERATIONS
from tests.tenants.api.calls import problem, signed_in
from tests.tenants.records import actions

INVITATION = {"email": "neo@example.com", "role": "viewer"}

# What a stolen, still open session must not be able to do.
SENSITIVE = {
    ("POST", "api-keys"),
    ("POST", "api-keys/{api_key_id}/roll"),
    ("POST", "auth/factors/totp"),
    ("POST", "auth/factors/totp/{factor_id}/confirm"),
    ("POST", "auth/factors/passkeys"),
    ("POST", "auth/factors/passkeys/{challenge_id}/confirm"),
    ("POST", "auth/factors/recovery-codes"),
    ("DELETE", "auth/factors/{factor_id}"),
    ("POST", "invitations"),
    ("POST", "members"),
    ("PATCH", "members/{member_id}"),
    ("POST", "members/{member_id}/grants"),
    ("DELETE", "members/{member_id}"),
    ("POST", "roles"),
    ("PATCH", "roles/{role_id}"),
    ("DELETE", "roles/{role_id}"),
    ("PATCH", "tenant"),
    ("POST", "webhooks/endpoints"),
    ("PATCH", "webhooks/endpoints/{endpoint_id}"),
    ("POST", "webhooks/endpoints/{endpoint_id}/rotate-secret"),
}


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "owner")


@pytest.fixture
def client(ada: User) -> APIClient:
    return signed_in("ada")


def age_proof(seconds: int) -> None:
    Session.objects.update(proved_at=F("proved_at") - timedelta(seconds=seconds))


def invite(client: APIClient) -> Any:
    return client.post("/api/v1/invitations", INVITATION, format="json")


def reauthenticate(client: APIClient, **body: str) -> Any:
    return client.post("/api/v1/auth/reauthenticate", body, format="json")


def invitations(tenant: Tenant) -> int:
    with tenant_scope(tenant.id):
        return Invitation.objects.count()


@pytest.mark.no_database
def test_these_routes_are_sensitive_and_no_stopping_is() -> None:
    declared = {
        (method, route.path)
        for route, method in OPERATIONS
        if issubclass(route.view, TenantView) and method in route.view.sensitive
    }
    assert declared == SENSITIVE
    assert ("PUT", "kill-switch") not in declared


def test_signing_in_is_a_proof_for_fifteen_minutes(client: APIClient, acme: Tenant) -> None:
    age_proof(890)
    assert invite(client).status_code == 201
    age_proof(11)
    answer = client.post("/api/v1/invitations", {**INVITATION, "email": "b@example.com"}, format="json")
    assert problem(answer) == (403, "reauthentication_required", "Confirm that it is you")
    assert answer.json()["reauthenticate_at"] == "http://testserver/api/v1/auth/reauthenticate"
    assert answer.json()["max_age_seconds"] == 900
    assert invitations(acme) == 1
    assert client.get("/api/v1/members").status_code == 200


def test_the_password_renews_it(client: APIClient, acme: Tenant) -> None:
    age_proof(901)
    answer = reauthenticate(client, password=PASSWORD)
    assert answer.status_code == 200
    assert set(answer.json()) == {"proved_at", "good_until"}
    assert actions(acme.id)[-1] == "session.proved"
    assert invite(client).status_code == 201


def test_it_renews_this_session_alone(client: APIClient) -> None:
    other = signed_in("ada")
    age_proof(901)
    reauthenticate(client, password=PASSWORD)
    assert problem(invite(other))[1] == "reauthentication_required"


def test_a_wrong_password_renews_nothing_and_counts(client: APIClient, acme: Tenant) -> None:
    age_proof(901)
    for _ in range(4):
        assert problem(reauthenticate(client, password="wrong"))[:2] == (401, "invalid_credentials")
    assert problem(reauthenticate(client, password="wrong"))[:2] == (429, "locked_out")
    assert problem(reauthenticate(client, password=PASSWORD))[:2] == (429, "locked_out")
    assert problem(invite(client))[1] == "reauthentication_required"
    assert "session.proved" not in actions(acme.id)


def test_whoever_has_a_second_factor_proves_it_too(client: APIClient, ada: User) -> None:
    device = add_totp_device(user=ada, actor=system_actor("tests"), now=clock.now())
    age_proof(901)
    assert problem(reauthenticate(client, password=PASSWORD))[:2] == (401, "otp_required")
    assert problem(invite(client))[1] == "reauthentication_required"
    wait_for_fresh_period(device)
    assert reauthenticate(client, password=PASSWORD, otp=code_of(device)).status_code == 200
    assert invite(client).status_code == 201


def test_a_refresh_is_no_proof(ada: User) -> None:
    from tests.conftest import client_for
    from tests.tenants.api.calls import sign_in

    tokens = sign_in("ada").json()
    age_proof(901)
    refreshed = client_for().post("/api/v1/auth/token/refresh", {"refresh": tokens["refresh"]}, format="json")
    assert problem(invite(client_for(refreshed.json()["access"])))[1] == "reauthentication_required"


def test_an_api_key_is_not_asked(acme_admin: APIClient) -> None:
    assert invite(acme_admin).status_code == 201


def test_a_missing_permission_is_told_first(acme: Tenant) -> None:
    make_member(acme, "eve", "viewer")
    eve = signed_in("eve")
    age_proof(901)
    assert problem(invite(eve))[1] == "permission_denied"
