"""An operator's `changepassword` keeps to the rules of every other change."""

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from apps.core import clock
from apps.users.models import PasswordReset, User
from apps.users.selectors import live_sessions
from apps.users.services import start_session
from apps.users.types import Origin
from tests.factories.users import PASSWORD, make_password_reset, make_user
from tests.tenants.records import leaves

TENANT = uuid4()


@pytest.fixture
def ada() -> User:
    user = make_user("ada")
    start_session(user=user, tenant_id=TENANT, origin=Origin(), now=clock.now())
    return user


def change(password: str, username: str = "ada") -> str:
    said = StringIO()
    call_command("changepassword", username, stdin=StringIO(f"{password}\n"), stdout=said)
    return said.getvalue()


def test_it_ends_all_sessions_voids_letters_and_leaves_a_leaf(ada: User) -> None:
    make_password_reset(ada)
    assert change("there is no spoon") == "The password of 'ada' is changed; 1 of their sessions ended.\n"
    ada.refresh_from_db()
    assert ada.check_password("there is no spoon")
    assert not live_sessions(user_id=ada.id, tenant_id=TENANT, now=clock.now()).exists()
    assert not PasswordReset.objects.exists()
    assert leaves(None)[-1] == ("user.password_set", {})
    assert leaves(TENANT)[-1][1]["reason"] == [None, "password_set"]


@pytest.mark.parametrize(
    ("username", "password", "said"),
    [
        ("ada", "too short", "needs 15 characters"),
        ("ada", "Password12345678", "made of common passwords"),
        ("nobody", "there is no spoon", "There is no user 'nobody'"),
    ],
)
def test_a_refusal_changes_nothing(ada: User, username: str, password: str, said: str) -> None:
    before = leaves(None)
    with pytest.raises(CommandError, match=said):
        change(password, username)
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    assert live_sessions(user_id=ada.id, tenant_id=TENANT, now=clock.now()).count() == 1
    assert leaves(None) == before
