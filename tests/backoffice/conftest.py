"""Staff who are signed in, and a platform with something to see."""

from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.contrib.auth.models import Permission
from django.db.models import Q
from django.test import Client

from apps.backoffice import site
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant
from tests import databases
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.world import World, build_world
from tests.factories.audit import run_sequencer
from tests.factories.tenants import make_tenant
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
        user.user_permissions.set(
            Permission.objects.filter(Q(codename__startswith="view_") | Q(codename="operate_tenant"))
        )
    return open_session(user, enrol(user))


@pytest.fixture(scope="session")
def built_world(own_valkey_database: None, django_db_blocker: pytest.FixtureDef) -> Iterator[tuple[str, World]]:
    """A world in a database of its own: building one takes longer than most tests do."""
    with django_db_blocker.unblock(), databases.cloned_database() as name:  # type: ignore[attr-defined]
        databases.log_in("web", name)
        world = build_world(make_tenant("acme"), make_tenant("globex"))
        run_sequencer()
        yield name, world


@pytest.fixture
def rollback_database(request: pytest.FixtureRequest, rollback_database: str) -> str:
    """Let a test that wants a world begin with the one that is there, and leave it as it was."""
    return request.getfixturevalue("built_world")[0] if "world" in request.fixturenames else rollback_database


@pytest.fixture
def shared_world(request: pytest.FixtureRequest, database: str) -> World | None:
    """The world of the test's database, if it begins with one."""
    if "world" not in request.fixturenames:
        return None
    name, world = request.getfixturevalue("built_world")
    return deepcopy(world) if database == name else None


@pytest.fixture
def acme(shared_world: World | None) -> Tenant:
    return shared_world.acme.tenant if shared_world else make_tenant("acme")


@pytest.fixture
def globex(shared_world: World | None) -> Tenant:
    return shared_world.globex.tenant if shared_world else make_tenant("globex")


@pytest.fixture
def world(shared_world: World | None, acme: Tenant, globex: Tenant) -> World:
    return shared_world or build_world(acme, globex)
