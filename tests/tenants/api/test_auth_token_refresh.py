"""POST /auth/token/refresh."""

from datetime import timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.models import Tenant
from apps.tenants.services import reactivate_tenant, suspend_tenant
from apps.users.models import RefreshToken, Session, User
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.tenants.api.calls import field_errors, problem, sign_in
from tests.tenants.records import leaves

REFUSED = (401, "invalid_refresh_token", "The refresh token is not valid")


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "viewer")


def refresh(token: str) -> Any:
    return client_for().post("/api/v1/auth/token/refresh", {"refresh": token}, format="json")


def grow_old() -> None:
    """Let the grace of replaced tokens pass."""
    replaced = RefreshToken.objects.filter(replaced_at__isnull=False)
    replaced.update(replaced_at=clock.now() - timedelta(seconds=11))


def test_a_refresh_gives_new_tokens_of_the_same_session(ada: User) -> None:
    first = sign_in("ada").json()
    response = refresh(first["refresh"])
    second = response.json()
    assert response.status_code == 200
    assert set(second) == {"access", "refresh", "expires_in", "token_type"}
    assert second["refresh"] != first["refresh"]
    assert response["Cache-Control"] == "no-store"
    assert Session.objects.count() == 1
    assert client_for(second["access"]).get("/api/v1/me").status_code == 200


def test_a_lost_answer_is_asked_for_again(ada: User) -> None:
    first = sign_in("ada").json()
    second, again = refresh(first["refresh"]).json(), refresh(first["refresh"])
    assert (again.status_code, again.json()["refresh"]) == (200, second["refresh"])
    assert client_for(again.json()["access"]).get("/api/v1/me").status_code == 200


def test_a_token_used_twice_ends_the_session_and_its_access_tokens(ada: User, acme: Tenant) -> None:
    first = sign_in("ada").json()
    second = refresh(first["refresh"]).json()
    grow_old()
    assert problem(refresh(first["refresh"])) == REFUSED
    assert problem(refresh(second["refresh"])) == REFUSED
    for tokens in (first, second):
        ended = (401, "authentication_required", "The session has ended.")
        assert problem(client_for(tokens["access"]).get("/api/v1/me")) == ended
    assert leaves(acme.id)[-1] == ("session.revoked", {"reason": [None, "refresh_token_reused"]})


@pytest.mark.commits
def test_the_revocation_outlives_the_refusal(acme: Tenant) -> None:
    make_member(acme, "ada", "viewer")
    token = sign_in("ada").json()["refresh"]
    assert refresh(token).status_code == 200
    grow_old()
    assert refresh(token).status_code == 401
    assert Session.objects.filter(revoked_at__isnull=False).count() == 1


@pytest.mark.parametrize("token", ["for_" + "A" * 43, "abc", "fop_test_abc"])
def test_an_unknown_token(token: str) -> None:
    assert problem(refresh(token)) == REFUSED


def test_an_access_token_is_no_refresh_token(ada: User) -> None:
    response = refresh(sign_in("ada").json()["access"])
    assert (response.status_code, field_errors(response)) == (400, [("refresh", "max_length")])


def test_a_deactivated_user(ada: User) -> None:
    token = sign_in("ada").json()["refresh"]
    User.objects.update(is_active=False)
    assert problem(refresh(token)) == REFUSED


def test_a_membership_that_ended(ada: User, globex: Tenant) -> None:
    token = sign_in("ada").json()["refresh"]
    Session.objects.update(tenant_id=globex.id)
    assert problem(refresh(token)) == REFUSED


def test_a_suspended_tenant_does_not_spend_the_token(ada: User, acme: Tenant) -> None:
    token = sign_in("ada").json()["refresh"]
    suspend_tenant(tenant_id=acme.id, actor=system_actor("tests"), now=clock.now())
    assert problem(refresh(token)) == (403, "tenant_suspended", "The tenant is suspended")
    reactivate_tenant(tenant_id=acme.id, actor=system_actor("tests"), now=clock.now())
    assert refresh(token).status_code == 200


def test_an_expired_access_token_in_the_header_does_not_matter(ada: User) -> None:
    token = sign_in("ada").json()["refresh"]
    response = client_for("expired").post("/api/v1/auth/token/refresh", {"refresh": token}, format="json")
    assert response.status_code == 200
