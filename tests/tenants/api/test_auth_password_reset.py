"""POST /auth/password/reset and /auth/password/reset/confirm."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.models import Tenant
from apps.users.models import PasswordReset, Session, User
from apps.users.services import add_totp_device
from tests.backoffice.staff import code_of
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.factories.users import PASSWORD, make_password_reset, make_user
from tests.tenants.api.calls import field_errors, problem, sign_in, signed_in
from tests.tenants.records import actions, leaves

RESET = "/api/v1/auth/password/reset"
NEW = "there is no spoon"


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "billing")


def ask(**whom: str) -> Any:
    return client_for().post(RESET, whom, format="json")


def confirm(token: str, password: str = NEW, **more: str) -> Any:
    return client_for().post(f"{RESET}/confirm", {"token": token, "password": password, **more}, format="json")


def assert_unchanged(user: User) -> None:
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert "user.password_reset" not in actions(None)
    assert not Session.objects.filter(revoked_at__isnull=False).exists()


def asked_for() -> list[Any]:
    return list(PasswordReset.objects.order_by("id").values_list("user_id", flat=True))


def test_the_answer_and_the_work_are_the_same_for_everybody(ada: User) -> None:
    make_user("staff", is_staff=True)
    work = set()
    for whom in ({"username": "ada"}, {"email": "ADA@example.com"}, {"username": "nobody"}, {"username": "staff"}):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = ask(**whom)
        assert (answer.status_code, answer.content) == (202, b"")
        work.add(tuple(query["sql"].split(" ")[0] for query in queries.captured_queries))
    assert len(work) == 1
    assert asked_for() == [ada.id, ada.id, None, None]
    assert "nobody" not in str(PasswordReset.objects.values())


def test_one_says_who_one_is_in_one_way() -> None:
    for body in ({}, {"username": "ada", "email": "ada@example.com"}):
        answer = ask(**body)
        assert (problem(answer)[:2], field_errors(answer)) == ((400, "validation_failed"), [("username", "required")])
    assert field_errors(ask(email="ada")) == [("email", "invalid")]
    assert asked_for() == []


def test_a_letter_gives_a_new_password_and_ends_all_sessions(ada: User, acme: Tenant) -> None:
    client = signed_in("ada")
    token = make_password_reset(ada)
    stored = PasswordReset.objects.get()
    assert stored.token_hash is not None
    assert bytes(stored.token_hash) == hashlib.sha256(token.encode()).digest()
    answer = confirm(token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert sign_in("ada").status_code == 401
    assert sign_in("ada", NEW).status_code == 200
    assert client.get("/api/v1/me").status_code == 401
    assert ("user.password_reset", {}) in leaves(None)
    assert ("session.revoked", {"reason": [None, "password_reset"]}) in leaves(acme.id)


def test_a_token_works_once_for_thirty_minutes_and_a_later_letter_makes_it_void(ada: User) -> None:
    now = clock.now()
    old = make_password_reset(ada, now=now - timedelta(minutes=30))
    earlier, used = make_password_reset(ada), make_password_reset(ada)
    assert problem(confirm(earlier))[:2] == (400, "invalid_password_reset")
    assert confirm(used).status_code == 204
    for token in (old, used, "fow_" + "A" * 43, "junk"):
        assert problem(confirm(token, "fifteen letters!")) == (
            400,
            "invalid_password_reset",
            "The password reset is not valid",
        )
    assert sign_in("ada", NEW).status_code == 200


def test_a_second_factor_is_not_bypassed_and_its_codes_are_counted(ada: User) -> None:
    device = add_totp_device(user=ada, actor=system_actor("tests"), now=clock.now())
    token = make_password_reset(ada)
    assert problem(confirm(token))[:2] == (401, "otp_required")
    for _ in range(4):
        assert problem(confirm(token, otp="000000"))[:2] == (401, "invalid_credentials")
    assert problem(confirm(token, otp="000000"))[:2] == (429, "locked_out")
    device.throttle_reset()
    assert problem(confirm(token, otp=code_of(device)))[:2] == (429, "locked_out")
    assert_unchanged(ada)


def test_with_a_code_it_is_reset(ada: User) -> None:
    device = add_totp_device(user=ada, actor=system_actor("tests"), now=clock.now())
    assert confirm(make_password_reset(ada), "tZ8#qLp2", otp=code_of(device)).status_code == 204
    assert sign_in("ada", "tZ8#qLp2").json()["code"] == "otp_required"


def test_who_locked_themselves_out_gets_in_by_a_letter(ada: User) -> None:
    for _ in range(5):
        sign_in("ada", "wrong")
    assert sign_in("ada").status_code == 429
    assert confirm(make_password_reset(ada)).status_code == 204
    assert sign_in("ada", NEW).status_code == 200


def test_a_weak_password_leaves_the_token_good(ada: User) -> None:
    token = make_password_reset(ada)
    assert problem(confirm(token, "short"))[:2] == (400, "password_too_weak")
    assert_unchanged(ada)
    assert confirm(token).status_code == 204


def test_nobody_gets_in_who_was_deactivated_or_is_staff_now(ada: User) -> None:
    token = make_password_reset(ada)
    for change in ({"is_active": False}, {"is_active": True, "is_staff": True}):
        User.objects.filter(id=ada.id).update(**change)
        assert problem(confirm(token))[:2] == (400, "invalid_password_reset")
    assert_unchanged(ada)


def test_tries_are_limited_by_address_as_sign_ins_are() -> None:
    for answer in (ask(username="ada"), confirm("junk")):
        assert '"sign_in"' in answer["RateLimit-Policy"]
