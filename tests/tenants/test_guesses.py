"""Exactly as many guesses are looked at as the lockout allows, however many are tried at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import ClassVar

import pytest
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection

from apps.core import clock
from apps.core.actor import system_actor
from apps.users.models import Lockout
from apps.users.services import add_totp_device
from tests.factories.tenants import make_member
from tests.factories.users import PASSWORD
from tests.tenants.api.calls import sign_in
from tests.users.test_lockout import let_pass

pytestmark = pytest.mark.commits
AT_ONCE, THREADS = 40, 20


class CountingHasher(Argon2PasswordHasher):
    """Production's hash: while one is computed, others can be begun. `looks` counts the guesses that it looked at."""

    looks: ClassVar[count] = count()

    def verify(self, password: str, encoded: str) -> bool:
        next(self.looks)
        return super().verify(password, encoded)

    def encode(self, password: str, salt: str) -> str:
        next(self.looks)  # for a name that nobody has
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def hasher(settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]


def guess(*, password: str, otp: str = "") -> int:
    try:
        return sign_in("ada", password=password, otp=otp).status_code
    finally:
        connection.close()


def assert_locked_after_the_limit(at_once: int = AT_ONCE, **guessed: str) -> None:
    CountingHasher.looks = count()
    with ThreadPoolExecutor(THREADS) as pool:
        answers = Counter(pool.map(lambda _: guess(**guessed), range(at_once)))
    limit = django_settings.AXES_FAILURE_LIMIT
    assert next(CountingHasher.looks) == limit
    # The failure that reaches the limit is told that it has locked.
    assert answers == {401: limit - 1, 429: at_once - limit + 1}
    assert AccessAttempt.objects.get(username="ada").failures_since_start >= limit


def test_passwords(acme):
    make_member(acme, "ada")
    assert_locked_after_the_limit(password="wrong")


def test_passwords_of_a_name_that_nobody_has(acme):
    assert_locked_after_the_limit(password="wrong")


@pytest.mark.prove
def test_each_lockout_lets_five_more_through_and_lasts_twice_as_long(acme):
    make_member(acme, "ada")
    for minutes in (15, 30, 60):
        assert_locked_after_the_limit(password="wrong")
        lockout = Lockout.objects.get()
        assert lockout.locked_until - lockout.locked_at == timedelta(minutes=minutes)
        let_pass(timedelta(minutes=minutes))
    assert guess(password=PASSWORD) == 200


@pytest.mark.prove
def test_two_hundred_at_once(acme):
    make_member(acme, "ada")
    assert_locked_after_the_limit(200, password="wrong")
    let_pass(timedelta(minutes=15))
    assert_locked_after_the_limit(200, password="wrong")


def test_codes_by_whoever_knows_the_password(acme):
    ada = make_member(acme, "ada")
    add_totp_device(user=ada, key="0f" * 20, actor=system_actor("tests"), now=clock.now())
    assert_locked_after_the_limit(password=PASSWORD, otp="000000")
