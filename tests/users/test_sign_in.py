"""Proving who somebody is: same answer and same cost for unknown users, lockout, second factor once."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone
from django_otp.oath import totp

from apps.audit.models import AuditEntry
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.users.errors import InvalidCredentials, LockedOut, OtpRequired
from apps.users.models import User
from apps.users.services import add_totp_device, check_password, check_second_factor
from apps.users.types import Origin
from tests.factories.audit import opened
from tests.factories.users import PASSWORD, make_user

KEY = "00" * 20
TENANT = uuid4()
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password is hashed."""

    algorithm = "counting"
    calls = 0

    def encode(self, password: Any, salt: str) -> str:
        type(self).calls += 1
        return super().encode(password, salt)


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture
def counting(settings: Any) -> Iterator[type[CountingHasher]]:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    yield CountingHasher


def a_request(ip: str = "192.0.2.7") -> HttpRequest:
    return RequestFactory().post("/", REMOTE_ADDR=ip)


def origin(ip: str) -> Origin:
    return Origin(request_id="r-1", ip=ip)


def attempt(username: str = "ada", password: str = PASSWORD, ip: str = "192.0.2.7") -> User:
    return check_password(request=a_request(ip), username=username, password=password, origin=origin(ip), now=NOW)


def second_factor(user: User, otp: str) -> None:
    check_second_factor(request=a_request(), user=user, otp=otp, tenant_id=TENANT, origin=origin("192.0.2.7"), now=NOW)


def fail(times: int, username: str = "ada", ip: str = "192.0.2.7") -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            attempt(username, "wrong password", ip)


def current_code() -> str:
    return f"{totp(bytes.fromhex(KEY), t0=int(time.time() - NOW.timestamp())):06d}"


def test_the_right_password_gives_the_user(ada: User) -> None:
    assert attempt() == ada


def test_wrong_password_unknown_user_and_inactive_user_get_the_same_answer(ada: User) -> None:
    make_user("idle")
    User.objects.filter(username="idle").update(is_active=False)
    answers = []
    for username, password in [("ada", "wrong password"), ("nobody", PASSWORD), ("idle", PASSWORD)]:
        with pytest.raises(InvalidCredentials) as refusal:
            attempt(username, password)
        answers.append((refusal.value.status, refusal.value.code, str(refusal.value.message), refusal.value.extra))
    assert answers == [(401, "invalid_credentials", "The credentials are not valid", {})] * 3


def test_an_unknown_user_costs_one_password_hash_like_a_known_one(counting: type[CountingHasher]) -> None:
    make_user("ada")
    costs = []
    for username in ("ada", "nobody"):
        counting.calls = 0
        with pytest.raises(InvalidCredentials):
            attempt(username, "wrong password")
        costs.append(counting.calls)
    assert costs == [1, 1]


def test_after_five_failures_even_the_right_password_is_refused(ada: User) -> None:
    fail(4)
    with pytest.raises(LockedOut) as refusal:
        attempt(password="wrong password")
    assert refusal.value.extra == {"retry_after": 900}
    with pytest.raises(LockedOut):
        attempt()


def test_an_unknown_user_is_locked_out_just_the_same() -> None:
    fail(4, "nobody")
    with pytest.raises(LockedOut):
        attempt("nobody")


def test_a_lockout_is_for_one_user_name_from_one_address(ada: User) -> None:
    bob = make_user("bob")
    fail(4)
    with pytest.raises(LockedOut):
        attempt(password="wrong password")
    assert attempt(ip="192.0.2.8") == ada
    assert attempt("bob") == bob


def test_success_forgets_the_failures(ada: User) -> None:
    fail(4)
    second_factor(attempt(), "")
    fail(4)


def test_a_lockout_leaves_the_answer_to_us(ada: User) -> None:
    fail(4)
    request = a_request()
    with pytest.raises(LockedOut):
        check_password(request=request, username="ada", password="wrong password", origin=origin(""), now=NOW)
    assert request.axes_locked_out is False  # type: ignore[attr-defined]


def refusals(tenant_id: UUID | None = None) -> list[tuple[str, str, str]]:
    """Return (target, address, reason) of each refused sign-in in a log, in order."""
    with staff_scope():
        found = AuditEntry.objects.filter(tenant_id=tenant_id, action="user.sign_in_refused").order_by("position")
        return [(entry.target_id, entry.actor["ip"], entry.changes["reason"][1]) for entry in opened(found)]


def test_each_failure_leaves_a_leaf_up_to_the_one_that_locks(ada: User) -> None:
    fail(4)
    for _ in range(3):
        with pytest.raises(LockedOut):
            attempt(password="wrong password")
    here = (str(ada.id), "192.0.2.7")
    assert refusals() == [(*here, "credentials")] * 4 + [(*here, "locked_out")]
    fail(1, ip="192.0.2.8")
    assert refusals()[5:] == [(str(ada.id), "192.0.2.8", "credentials")]


def test_a_name_that_nobody_has_is_not_kept() -> None:
    fail(1, "hunter2-hunter2")
    assert refusals() == [("unknown", "192.0.2.7", "credentials")]
    with staff_scope():
        [entry] = opened(AuditEntry.objects.filter(action="user.sign_in_refused"))
    assert "hunter2" not in f"{entry.actor} {entry.changes}"


class TestWithASecondFactor:
    @pytest.fixture(autouse=True)
    def device(self, ada: User, now: datetime) -> None:
        self.user = ada
        self.stored = add_totp_device(user=ada, key=KEY, actor=system_actor("tests"), now=now)

    def test_a_code_is_required(self) -> None:
        with pytest.raises(OtpRequired):
            second_factor(self.user, "")

    def test_a_code_works_once(self) -> None:
        code = current_code()
        second_factor(self.user, code)
        with pytest.raises(InvalidCredentials):
            second_factor(self.user, code)

    def test_a_wrong_code_is_refused_like_a_wrong_password(self) -> None:
        wrong = f"{(int(current_code()) + 1) % 1_000_000:06d}"
        with pytest.raises(InvalidCredentials):
            second_factor(self.user, wrong)

    def test_a_wrong_code_is_told_to_the_tenant_that_the_user_would_enter(self) -> None:
        for _ in range(2):
            with pytest.raises(InvalidCredentials):
                second_factor(self.user, "no code")
        assert refusals(TENANT) == [(str(self.user.id), "192.0.2.7", "code")] * 2
        assert refusals() == []

    def test_something_that_is_no_code_is_refused(self) -> None:
        with pytest.raises(InvalidCredentials):
            second_factor(self.user, "no code")

    def test_after_a_failure_the_device_waits(self) -> None:
        with pytest.raises(InvalidCredentials):
            second_factor(self.user, "no code")
        with pytest.raises(InvalidCredentials):
            second_factor(self.user, current_code())
        type(self.stored).objects.update(throttling_failure_timestamp=timezone.now() - timedelta(seconds=2))
        second_factor(self.user, current_code())

    def test_failed_codes_count_towards_the_lockout(self) -> None:
        for _ in range(4):
            with pytest.raises(InvalidCredentials):
                second_factor(self.user, "no code")
        with pytest.raises(LockedOut):
            second_factor(self.user, "no code")
        with pytest.raises(LockedOut):
            attempt()

    def test_an_unconfirmed_device_asks_for_nothing(self) -> None:
        type(self.stored).objects.update(confirmed=False)
        second_factor(self.user, "")
