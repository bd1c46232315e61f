"""How long a name is locked from an address: each time for longer, and never longer than it says."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from axes.utils import reset
from django.db.models import F

from apps.tenants.models import Tenant
from apps.users.errors import InvalidCredentials, LockedOut
from apps.users.models import Lockout, User
from apps.users.services import require_not_locked_out
from apps.users.services.lockout import cool_down
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.factories.users import PASSWORD, make_user
from tests.users.test_sign_in import a_request, attempt, fail, second_factor

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def ada() -> User:
    return make_user("ada")


def lock(username: str = "ada") -> int:
    """Fail five times and return the seconds that the fifth refusal names."""
    fail(4, username)
    return refused(username)


def refused(username: str = "ada") -> int:
    with pytest.raises(LockedOut) as refusal:
        attempt(username, "wrong password")
    return int(refusal.value.extra["retry_after"])


def let_pass(time: timedelta) -> None:
    """Let failures and lockouts be older by this much."""
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - time)
    Lockout.objects.update(locked_at=F("locked_at") - time, locked_until=F("locked_until") - time)


@pytest.mark.no_database
def test_a_lockout_doubles_up_to_a_day() -> None:
    quarters = [cool_down(times) / (15 * MINUTE) for times in range(1, 9)]
    assert quarters == [1, 2, 4, 8, 16, 32, 64, 96]
    assert cool_down(10_000) == 24 * HOUR


@pytest.mark.parametrize("username", ["ada", "nobody"])
def test_each_lockout_lasts_twice_as_long_up_to_a_day(ada: User, username: str) -> None:
    waits = []
    for _ in range(9):
        waits.append(lock(username))
        let_pass(cool_down(len(waits)))
    assert waits == [900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400]


def test_trying_meanwhile_changes_nothing_and_retry_after_counts_down(ada: User) -> None:
    assert lock() == 900
    stored = Lockout.objects.values().get()
    let_pass(10 * MINUTE)
    assert 299 <= refused() <= 300
    assert Lockout.objects.values().get() == {
        **stored,
        "locked_at": stored["locked_at"] - 10 * MINUTE,
        "locked_until": stored["locked_until"] - 10 * MINUTE,
    }
    let_pass(5 * MINUTE)
    assert attempt() == ada


def test_a_success_starts_anew(ada: User) -> None:
    assert lock() == 900
    let_pass(15 * MINUTE)
    second_factor(attempt(), "")
    assert not Lockout.objects.exists()
    assert lock() == 900


def test_a_quiet_day_starts_anew(ada: User) -> None:
    assert lock() == 900
    let_pass(15 * MINUTE + 24 * HOUR - MINUTE)
    assert lock() == 1800
    let_pass(30 * MINUTE + 24 * HOUR)
    assert lock() == 900
    assert Lockout.objects.get().times == 1


def test_a_name_is_locked_from_one_address(ada: User) -> None:
    lock()
    assert attempt(ip="192.0.2.8") == ada
    reset(username="ada", ip="192.0.2.8")
    refused()
    reset(username="ada")
    assert attempt() == ada


def test_what_is_tried_beside_a_password_is_refused_as_well(ada: User) -> None:
    require_not_locked_out(request=a_request(), username="ada")
    lock()
    with pytest.raises(LockedOut) as refusal:
        require_not_locked_out(request=a_request(), username="ada")
    assert refusal.value.extra == {"retry_after": 900}


def test_refusals_that_are_not_lockouts_stay_what_they_are(ada: User) -> None:
    with pytest.raises(InvalidCredentials):
        attempt("ada", "wrong password")
    assert not Lockout.objects.exists()


def test_addresses_of_one_ipv6_network_count_together(acme: Tenant) -> None:
    make_member(acme, "bob", "viewer")

    def guess(address: str, password: str = "wrong") -> int:
        body = {"username": "bob", "password": password}
        return client_for().post("/api/v1/auth/token", body, format="json", REMOTE_ADDR=address).status_code

    assert [guess(f"2001:db8:1:2::{host:x}") for host in range(5)] == [401] * 4 + [429]
    assert guess("2001:db8:1:2:ffff::1", PASSWORD) == 429
    assert guess("2001:db8:1:3::1", PASSWORD) == 200
    assert guess("::ffff:192.0.2.7") == guess("::ffff:192.0.2.8") == 401
    assert [guess("2001:db8:1:3::1") for _ in range(4)] == [401] * 4
    assert guess("2001:db8:1:3::2", PASSWORD) == 200
    assert [guess("2001:db8:1:3::3") for _ in range(4)] == [401] * 4
