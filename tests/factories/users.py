"""Users for tests."""

from datetime import datetime

from apps.core import clock
from apps.core.actor import system_actor
from apps.users.models import User
from apps.users.services import create_user

PASSWORD = "correct horse battery"


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
