"""Users for tests."""

from datetime import datetime

from apps.core import clock
from apps.core.actor import system_actor
from apps.users.models import PasswordReset, User
from apps.users.services import ask_for_reset, create_user, write_letter
from apps.users.types import Origin

PASSWORD = "correct horse battery"


def make_password_reset(user: User, *, now: datetime | None = None) -> str:
    """Have a letter written in which a member can choose a new password, and return its token."""
    now = now or clock.now()
    ask_for_reset(login=user.username, origin=Origin(), now=now)
    reset = PasswordReset.objects.filter(user_id=user.id).latest("id")
    PasswordReset.objects.filter(id=reset.id).update(posted_at=now)
    letter = write_letter(reset_id=reset.id, now=now)
    assert letter is not None
    return letter.token


def make_user(
    username: str,
    password: str = PASSWORD,
    *,
    is_staff: bool = False,
    is_superuser: bool = False,
    now: datetime | None = None,
) -> User:
    """Create a user who can sign in."""
    return create_user(
        username=username,
        password=password,
        email=f"{username}@example.com",
        display_name=username.replace("-", " ").title(),
        is_staff=is_staff,
        is_superuser=is_superuser,
        actor=system_actor("tests"),
        now=now or clock.now(),
    )
