"""Creating users and their second factors."""

from datetime import datetime
from typing import Any

import pytest

from apps.core.actor import system_actor
from apps.core.errors import DomainError, ValidationFailed
from apps.users.errors import PasswordTooWeak, UsernameTaken
from apps.users.models import User
from apps.users.services import add_totp_device, create_user
from tests.tenants.records import leaves

ACTOR = system_actor("tests")
GOOD = "correct horse battery"


def test_a_user_is_created_with_a_hashed_password_and_a_leaf(now: datetime) -> None:
    user = create_user(username="ada", password=GOOD, email="ada@example.com", display_name="Ada", actor=ACTOR, now=now)
    stored = User.objects.get()
    assert (stored.id, stored.username, stored.email) == (user.id, "ada", "ada@example.com")
    assert (stored.is_staff, stored.is_superuser, stored.is_active) == (False, False, True)
    assert (stored.date_joined, stored.last_login) == (now, None)
    assert stored.check_password(GOOD)
    assert GOOD not in stored.password
    assert leaves(None) == [("user.created", {"username": [None, "ada"], "is_staff": [None, False]})]


def test_the_name_to_show_is_the_display_name_or_else_the_user_name() -> None:
    assert User(username="ada", display_name="Ada Lovelace").get_full_name() == "Ada Lovelace"
    assert User(username="ada").get_full_name() == "ada"


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"username": "ada", "password": "short"}, PasswordTooWeak),
        ({"username": "adalovelace1815", "password": "adalovelace1815"}, PasswordTooWeak),
        ({"username": "not a name", "password": GOOD}, ValidationFailed),
        ({"username": "a" * 151, "password": GOOD}, ValidationFailed),
        ({"username": "", "password": GOOD}, ValidationFailed),
        ({"username": "ada", "password": GOOD, "email": "nowhere"}, ValidationFailed),
    ],
)
def test_a_refused_user_leaves_nothing(now: datetime, values: dict[str, Any], error: type[DomainError]) -> None:
    with pytest.raises(error):
        create_user(**values, actor=ACTOR, now=now)
    assert User.objects.count() == 0
    assert leaves(None) == []


def test_a_user_name_is_taken_once(now: datetime) -> None:
    create_user(username="ada", password=GOOD, actor=ACTOR, now=now)
    with pytest.raises(UsernameTaken):
        create_user(username="ada", password=GOOD, actor=ACTOR, now=now)
    assert User.objects.count() == 1
    assert len(leaves(None)) == 1


def test_a_second_factor_is_added_without_its_secret_in_the_log(now: datetime) -> None:
    user = create_user(username="ada", password=GOOD, actor=ACTOR, now=now)
    device = add_totp_device(user=user, key="00" * 20, actor=ACTOR, now=now)
    assert (device.user_id, device.confirmed, device.seed) == (user.id, True, bytes(20))
    assert leaves(None)[1] == ("user.second_factor_added", {})


def test_nobody_is_there_before_somebody_is_made() -> None:
    assert not User.objects.exists()
