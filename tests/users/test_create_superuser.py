"""An operator's `createsuperuser` keeps to the rules of every user."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.users.models import User
from tests.factories.users import make_user
from tests.tenants.records import leaves


def create(username: str, password: str) -> str:
    said = StringIO()
    call_command("createsuperuser", username, stdin=StringIO(f"{password}\n"), stdout=said)
    return said.getvalue()


def test_it_keeps_to_the_rules_of_every_user() -> None:
    assert (
        create("root", "there is no spoon")
        == "'root' may do everything, once “manage.py enrol_staff root” was scanned.\n"
    )
    user = User.objects.get(username="root")
    assert (user.is_staff, user.is_superuser, user.check_password("there is no spoon")) == (True, True, True)
    assert leaves(None)[-1] == ("user.created", {"username": [None, "root"], "is_staff": [None, True]})


@pytest.mark.parametrize(
    ("username", "password", "said"),
    [
        ("root", "too short", "needs 15 characters"),
        ("r t", "there is no spoon", "username: Enter a valid username"),
        ("ada", "there is no spoon", "taken"),
    ],
)
def test_a_refusal_creates_nobody(username: str, password: str, said: str) -> None:
    make_user("ada")
    before = leaves(None)
    with pytest.raises(CommandError, match=said):
        create(username, password)
    assert not User.objects.filter(is_superuser=True).exists()
    assert leaves(None) == before
