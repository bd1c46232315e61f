"""POST /auth/token/revoke."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.tenants.models import Tenant
from apps.users.models import Session, User
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.tenants.api.calls import problem, sign_in

REVOKE = "/api/v1/auth/token/revoke"


@pytest.fixture(autouse=True)
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "viewer")


def revoke(client: APIClient, **body: str) -> Any:
    return client.post(REVOKE, body, format="json")


def alive() -> int:
    return Session.objects.filter(revoked_at__isnull=True).count()


def test_by_access_token(acme: Tenant) -> None:
    tokens, _other = sign_in("ada").json(), sign_in("ada")
    client = client_for(tokens["access"])
    response = revoke(client)
    assert (response.status_code, response.content) == (204, b"")
    assert alive() == 1
    assert problem(client.get("/api/v1/me"))[2] == "The session has ended."
    refreshed = client_for().post("/api/v1/auth/token/refresh", {"refresh": tokens["refresh"]}, format="json")
    assert refreshed.status_code == 401


def test_by_refresh_token_even_with_a_dead_access_token(anonymous: APIClient) -> None:
    for client in (anonymous, client_for("expired")):
        tokens = sign_in("ada").json()
        assert revoke(client, refresh=tokens["refresh"]).status_code == 204
        assert client_for(tokens["access"]).get("/api/v1/me").status_code == 401
    assert alive() == 0


def test_an_unknown_refresh_token_is_no_error_and_changes_nothing(anonymous: APIClient) -> None:
    sign_in("ada")
    assert revoke(anonymous, refresh="for_" + "A" * 43).status_code == 204
    assert alive() == 1


def test_nobody_and_an_api_key_have_no_session_to_end(anonymous: APIClient, acme_admin: APIClient) -> None:
    sign_in("ada")
    for client in (anonymous, acme_admin):
        assert problem(revoke(client))[:2] == (401, "authentication_required")
    assert alive() == 1
