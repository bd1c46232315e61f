"""Staff who are signed in, and a platform with something to see."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from apps.backoffice import site
from apps.core.scope import staff_scope
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.world import World, build_world
from tests.factories.users import make_user


@pytest.fixture(autouse=True)
def fresh_board() -> None:
    """Let no test see the board of another one's database."""
    site.board.forget()


@pytest.fixture
def device(staff):
    return enrol(staff)


@pytest.fixture
def staff_client(staff, device) -> Client:
    """A superuser of the staff, signed in with a one-time code."""
    return open_session(staff, device)


@pytest.fixture
def viewing_client(database) -> Client:
    """A staff user who may view everything and change nothing."""
    user = make_user("auditor", is_staff=True)
    with staff_scope():
        user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return open_session(user, enrol(user))


@pytest.fixture
def world(acme, globex) -> World:
    return build_world(acme, globex)
