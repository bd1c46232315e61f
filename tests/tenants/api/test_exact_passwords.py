"""A password is what was typed, to the last blank."""

import pytest

from tests.factories.tenants import make_member
from tests.tenants.api.calls import sign_in

LONG = "  Der Mond ist aufgegangen, die goldnen Sternlein prangen — am Himmel hell & klar; 漢字 \U0001f319 "


@pytest.mark.parametrize(
    "other", [LONG.strip(), LONG.lower(), LONG[:64], LONG[:72], LONG + " ", LONG.replace("—", "-")]
)
def test_nothing_else_is_the_password(acme, other: str) -> None:
    make_member(acme, "ada", password=LONG)
    assert sign_in("ada", other).status_code == 401
    assert sign_in("ada", LONG).status_code == 200


def test_it_may_be_a_thousand_characters_long(acme) -> None:
    password = "".join(f"{number} and " for number in range(200))[:1024]
    make_member(acme, "ada", password=password)
    assert sign_in("ada", password[:-1]).status_code == 401
    assert sign_in("ada", password).status_code == 200
