"""POST /auth/password."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.models import Tenant
from apps.users.models import Session, User
from apps.users.services import add_totp_device
from tests.backoffice.staff import code_of
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.factories.users import PASSWORD, make_password_reset
from tests.sandbox_process import SandboxProcess
from tests.tenants.api.calls import field_errors, problem, sign_in, signed_in
from tests.tenants.records import actions, leaves

CHANGE = "/api/v1/auth/password"
NEW = "there is no spoon"


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "billing")


def change(client: APIClient, current: str = PASSWORD, new: str = NEW, **more: str) -> Any:
    body = {"current_password": current, "new_password": new, **more}
    return client.post(CHANGE, body, format="json")


def assert_unchanged(user: User) -> None:
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert "user.password_changed" not in actions(None)
    assert not Session.objects.filter(revoked_at__isnull=False).exists()


def test_the_password_is_another_one_and_the_other_sessions_end(ada: User, acme: Tenant, globex: Tenant) -> None:
    make_member(globex, "ada", "viewer", user=ada)
    here, there = signed_in("ada", tenant="acme"), signed_in("ada", tenant="globex")
    answer = change(here)
    assert (answer.status_code, answer.content) == (204, b"")
    assert sign_in("ada", tenant="acme").status_code == 401
    assert sign_in("ada", NEW, tenant="acme").status_code == 200
    assert (here.get("/api/v1/me").status_code, there.get("/api/v1/me").status_code) == (200, 401)
    assert ("user.password_changed", {}) in leaves(None)
    assert leaves(globex.id)[-1] == ("session.revoked", {"reason": [None, "password_changed"]})


def test_guesses_of_the_current_one_count_towards_the_lockout(ada: User) -> None:
    client = signed_in("ada")
    for _ in range(4):
        assert problem(change(client, "wrong"))[:2] == (401, "invalid_credentials")
    answer = change(client, "wrong")
    assert (problem(answer)[:2], answer["Retry-After"]) == ((429, "locked_out"), "900")
    assert problem(change(client))[:2] == (429, "locked_out")
    assert sign_in("ada").status_code == 429
    assert_unchanged(ada)


def test_letters_that_are_out_are_void_with_the_old_password(ada: User) -> None:
    token = make_password_reset(ada)
    assert change(signed_in("ada")).status_code == 204
    body = {"token": token, "password": "whoever reads old letters"}
    answer = client_for().post(f"{CHANGE}/reset/confirm", body, format="json")
    assert problem(answer)[:2] == (400, "invalid_password_reset")
    assert sign_in("ada", NEW).status_code == 200


def test_a_success_forgets_the_guesses(ada: User) -> None:
    client = signed_in("ada")
    for _ in range(4):
        change(client, "wrong")
    assert change(client).status_code == 204
    for _ in range(4):
        assert change(client, "wrong").status_code == 401


def test_a_second_factor_is_asked_for_and_lets_eight_characters_do(ada: User) -> None:
    client = signed_in("ada")
    device = add_totp_device(user=ada, actor=system_actor("tests"), now=clock.now())
    assert problem(change(client))[:2] == (401, "otp_required")
    assert problem(change(client, otp="000000"))[:2] == (401, "invalid_credentials")
    assert_unchanged(ada)
    device.throttle_reset()
    assert change(client, new="tZ8#qLp2", otp=code_of(device)).status_code == 204


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("short", "needs 15 characters"),
        ("Password12345678", "common passwords"),
        ("ada@example.com ada@", "your name, your e-mail"),
        ("correct horse battery staple", "data breach"),
    ],
)
def test_a_bad_password_is_refused_with_what_is_wrong(
    ada: User, new: str, says: str, sandbox: SandboxProcess, settings: Any
) -> None:
    settings.BREACHED_PASSWORDS = True
    status, code, detail = problem(change(signed_in("ada"), new=new))
    assert (status, code) == (400, "password_too_weak")
    assert says in detail
    assert_unchanged(ada)


def test_it_takes_a_user_and_both_passwords(ada: User, acme_admin: APIClient) -> None:
    assert change(acme_admin).status_code == 403
    assert change(client_for()).status_code == 401
    answer = signed_in("ada").post(CHANGE, {}, format="json")
    assert field_errors(answer) == [("current_password", "required"), ("new_password", "required")]
    assert '"sign_in"' in answer["RateLimit-Policy"]
