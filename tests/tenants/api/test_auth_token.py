"""POST /auth/token."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django_otp.oath import totp
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant
from apps.tenants.services import suspend_tenant
from apps.users.models import Session, User
from apps.users.services import add_totp_device
from apps.users.services.factors import make_recovery_codes
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.tenants.api.calls import field_errors, problem, sign_in
from tests.tenants.records import actions, leaves

KEY = "0f" * 20


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "trader")


def code() -> str:
    return f"{totp(bytes.fromhex(KEY)):06d}"


def test_signing_in_gives_tokens_for_the_only_tenant(ada: User, acme: Tenant) -> None:
    response = sign_in("ada")
    body = response.json()
    assert response.status_code == 200
    assert set(body) == {"access", "refresh", "expires_in", "token_type"}
    assert (body["expires_in"], body["token_type"]) == (600, "Bearer")
    assert body["refresh"].startswith("for_")
    assert response["Cache-Control"] == "no-store"
    assert "sessionid" not in response.cookies
    session = Session.objects.get()
    assert (session.user_id, session.tenant_id, session.ip) == (ada.id, acme.id, "127.0.0.1")
    assert actions(acme.id)[-1] == "session.started"
    assert client_for(body["access"]).get("/api/v1/me").json()["tenant"]["slug"] == "acme"


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", "wrong"), ("ADA", "wrong")])
def test_a_wrong_password_and_an_unknown_user_read_the_same(username: str, password: str, ada: User) -> None:
    response = sign_in(username, password)
    assert problem(response) == (401, "invalid_credentials", "The credentials are not valid")
    assert Session.objects.count() == 0


def test_a_lockout_says_when_to_come_back(ada: User) -> None:
    for _ in range(4):
        assert sign_in("ada", "wrong").status_code == 401
    for password in ("wrong", "correct horse battery"):
        response = sign_in("ada", password)
        assert problem(response) == (429, "locked_out", "Too many failed sign-ins")
        assert response["Retry-After"] == "900"
    assert Session.objects.count() == 0


class TestSeveralTenants:
    @pytest.fixture(autouse=True)
    def both(self, ada: User, acme: Tenant, globex: Tenant) -> None:
        make_member(globex, "ada", "viewer", user=ada)

    def test_one_must_be_named_and_none_is_listed(self) -> None:
        response = sign_in("ada")
        assert problem(response) == (400, "tenant_required", "Name a tenant")
        assert "globex" not in response.content.decode()

    def test_by_slug_or_by_id(self, acme: Tenant, globex: Tenant) -> None:
        for named, tenant in [("acme", acme), ("globex", globex), (str(globex.id), globex)]:
            access = sign_in("ada", tenant=named).json()["access"]
            assert client_for(access).get("/api/v1/me").json()["tenant"]["id"] == str(tenant.id)

    def test_a_foreign_and_an_unknown_tenant_read_the_same(self, ada: User) -> None:
        from tests.factories.tenants import make_tenant

        make_tenant("initech")
        for named in ("initech", "unknown"):
            assert problem(sign_in("ada", tenant=named)) == (403, "not_a_member", "Not a member")


def test_a_user_of_no_tenant_is_refused_as_with_a_wrong_password(staff: User) -> None:
    """Staff have no business here; their passwords must not be tried out where no code is asked for."""
    right, wrong = sign_in("staff"), sign_in("staff", password="wrong")
    assert problem(right) == problem(wrong)
    assert AccessAttempt.objects.get(username="staff").failures_since_start == 2


def test_a_suspended_tenant(ada: User, acme: Tenant) -> None:
    suspend_tenant(tenant_id=acme.id, actor=system_actor("tests"), now=clock.now())
    assert problem(sign_in("ada")) == (403, "tenant_suspended", "The tenant is suspended")


def test_signing_in_works_while_writing_is_switched_off(ada: User) -> None:
    from apps.core.models import ReadOnlySwitch

    with staff_scope():
        ReadOnlySwitch.objects.create(reason="maintenance", engaged_at=clock.now())
    assert sign_in("ada").status_code == 200


class TestWithASecondFactor:
    @pytest.fixture(autouse=True)
    def device(self, ada: User) -> None:
        self.device = add_totp_device(user=ada, key=KEY, actor=system_actor("tests"), now=clock.now())

    def test_the_password_alone_asks_for_the_code(self) -> None:
        assert problem(sign_in("ada")) == (401, "otp_required", "A one-time code is required")

    def test_a_wrong_password_does_not_tell_of_the_code(self) -> None:
        assert problem(sign_in("ada", "wrong", otp=code()))[1] == "invalid_credentials"

    def test_a_code_signs_in_once(self) -> None:
        otp = code()
        assert sign_in("ada", otp=otp).status_code == 200
        assert problem(sign_in("ada", otp=otp))[:2] == (401, "invalid_credentials")

    def test_the_leaf_names_the_second_factor(self, ada: User, acme: Tenant) -> None:
        with staff_scope():
            recovery_code = make_recovery_codes(ada, system_actor("tests"), clock.now())[0]
        for otp, kind in ((code(), "totp"), (recovery_code, "recovery_code")):
            assert sign_in("ada", otp=otp).status_code == 200
            assert leaves(acme.id)[-1] == ("session.started", {"factor": [None, kind]})

    def test_a_recovery_code_signs_in_once(self, ada: User) -> None:
        with staff_scope():
            code = make_recovery_codes(ada, system_actor("tests"), clock.now())[0]
        assert sign_in("ada", otp=code).status_code == 200
        assert problem(sign_in("ada", otp=code))[:2] == (401, "invalid_credentials")

    def test_a_request_that_lacks_the_tenant_does_not_spend_the_code(self, ada: User, globex: Tenant) -> None:
        make_member(globex, "ada", "viewer", user=ada)
        otp = code()
        assert problem(sign_in("ada", otp=otp))[1] == "tenant_required"
        assert sign_in("ada", otp=otp, tenant="globex").status_code == 200


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("username", "required"), ("password", "required")]),
        ({"username": "ada", "password": ""}, [("password", "blank")]),
        ({"username": "ada", "password": "x", "totp": "1"}, [("totp", "unknown_field")]),
        ({"username": "a\0", "password": "x"}, [("username", "null_characters_not_allowed")]),
        ({"username": "a" * 151, "password": "x"}, [("username", "max_length")]),
        ({"username": ["ada"], "password": "x"}, [("username", "invalid")]),
    ],
)
def test_a_malformed_body(anonymous: APIClient, body: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    response = anonymous.post("/api/v1/auth/token", body, format="json")
    assert problem(response)[:2] == (400, "validation_failed")
    assert field_errors(response) == errors


def test_an_unknown_query_parameter(anonymous: APIClient) -> None:
    response = anonymous.post("/api/v1/auth/token?next=/", {}, format="json")
    assert problem(response)[:2] == (400, "unknown_query_parameter")


def test_get_is_not_a_method(anonymous: APIClient) -> None:
    response = anonymous.get("/api/v1/auth/token")
    assert problem(response)[:2] == (405, "method_not_allowed")
