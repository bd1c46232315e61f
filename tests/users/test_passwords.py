"""What a password must be: long, not what everybody tries first, and not known from a breach."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from prometheus_client import REGISTRY

from apps.core.actor import system_actor
from apps.core.guard import CallInsideTransaction
from apps.users.errors import PasswordTooWeak
from apps.users.models import User
from apps.users.passwords import worth
from apps.users.services import add_totp_device, create_user
from tests.factories.users import make_user
from tests.sandbox_process import SandboxProcess
from tests.tenants.records import leaves

ACTOR = system_actor("tests")
BREACHED = "correct horse battery staple"
ADA = User(username="adalovelace", email="countess@analytical.example", display_name="Ada Lovelace")


def complaint(password: str, user: User | None = ADA) -> str:
    """Return the code of what is wrong with a password; empty when nothing is."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        return str(error.error_list[0].code)
    return ""


@pytest.mark.no_database
@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("there is no spoon", ""),
        ("fourteen runes", "too_short"),
        ("fifteen letters", ""),
        ("äöüßäöüß 漢字 кит", ""),
        ("Kz7 " * 5, "too_common"),
        ("sixty-four of anything: " + "The Owl and the Pussycat went to sea in a pea green boat " * 3, ""),
        ("x" * 1025, "too_long"),
        ("1234567890qwerty", "too_common"),
        ("passwordpassword", "too_common"),
        ("Password12345678", "too_common"),
        ("P@ssw0rdP@ssw0rd!", "too_common"),
        ("MonkeyDragonBatman", "too_common"),
        ("manchesterunited", "too_common"),
        ("aaaaaaaaaaaaaaaaaaaaaa", "too_common"),
        ("1qaz2wsx3edc4rfv", "too_common"),
        ("January2026January", "too_common"),
        ("finops-password-2026", "too_similar"),
        ("AdaLovelace Analytical", "too_similar"),
        ("countess@analytical.example", "too_similar"),
    ],
)
def test_length_counts_and_what_everybody_tries_first_is_refused(password: str, code: str) -> None:
    assert complaint(password) == code


@pytest.mark.no_database
def test_what_is_common_counts_little_towards_what_has_to_be_guessed() -> None:
    assert worth("tZ8#qLp2") == 8
    assert worth("Password12345678") == 3 + 2
    assert worth("iloveyou iloveyou") == 3 + 1 + 1
    assert worth("lovelace 1815", {"lovelace"}) == 1 + 1 + 4


def test_beside_a_second_factor_eight_characters_do(now: datetime) -> None:
    user = make_user("ada")
    assert complaint("tZ8#qLp2", user) == "too_short"
    device = add_totp_device(user=user, actor=ACTOR, now=now)
    assert (complaint("tZ8#qLp2", user), complaint("tZ8#qLp", user)) == ("", "too_short")
    assert complaint("monkey12", user) == "too_common"
    device.confirmed = False
    device.save()
    assert complaint("tZ8#qLp2", user) == "too_short"


@pytest.mark.no_database
def test_the_rule_is_told_before_a_choice() -> None:
    assert password_validators_help_texts() == [
        "At least 15 characters, or 8 beside a second factor. A sentence is fine."
    ]


def create(password: str, now: datetime) -> User:
    return create_user(username="ada", password=password, actor=ACTOR, now=now)


def checks(outcome: str) -> float:
    return REGISTRY.get_sample_value("finops_breached_password_checks_total", {"outcome": outcome}) or 0.0


@pytest.fixture
def breaches(sandbox: SandboxProcess, settings: Any) -> SandboxProcess:
    settings.BREACHED_PASSWORDS = True
    return sandbox


def ranges(sandbox: SandboxProcess) -> list[str]:
    return [exchange["path"] for exchange in sandbox.log("pwnedpasswords")]


def test_a_password_of_a_breach_is_refused_and_five_digits_of_its_hash_are_all_that_is_sent(
    breaches: SandboxProcess, now: datetime
) -> None:
    before, refused = len(ranges(breaches)), checks("breached")
    with pytest.raises(PasswordTooWeak, match="known from a data breach"):
        create(BREACHED, now)
    # sha1("correct horse battery staple") is abf7aad6438836dbe526aa231abde2d0eef74d42.
    assert ranges(breaches)[before:] == ["/range/ABF7A"]
    assert (User.objects.count(), leaves(None), checks("breached")) == (0, [], refused + 1)
    passed = checks("unknown")
    assert create("there is no spoon", now).check_password("there is no spoon")
    assert checks("unknown") == passed + 1


def test_a_weak_password_is_not_even_asked_for(breaches: SandboxProcess, now: datetime) -> None:
    before = ranges(breaches)
    with pytest.raises(PasswordTooWeak, match="needs 15 characters"):
        create("short", now)
    assert ranges(breaches) == before


@pytest.mark.parametrize("fault", ["status:503", "throttle", "drop_response", "delay:2500"])
def test_while_nobody_answers_passwords_are_taken_and_it_is_counted(
    breaches: SandboxProcess, now: datetime, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    breaches.fault(fault, provider="pwnedpasswords", count=1)
    missed = checks("unavailable")
    assert create(BREACHED, now).check_password(BREACHED)
    assert checks("unavailable") == missed + 1
    (line,) = [record for record in caplog.records if record.name.startswith("apps.users")]
    assert (line.levelname, line.getMessage()) == (
        "WARNING",
        "a password could not be compared with those of breaches",
    )


def test_nobody_is_asked_inside_a_transaction(breaches: SandboxProcess, now: datetime) -> None:
    with transaction.atomic(), pytest.raises(CallInsideTransaction):
        create("there is no spoon", now)


def test_it_can_be_switched_off(sandbox: SandboxProcess, now: datetime) -> None:
    before = ranges(sandbox)
    assert create(BREACHED, now).check_password(BREACHED)
    assert ranges(sandbox) == before
