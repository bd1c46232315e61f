"""One database for all of the matrix, with two tenants in it.

Tests marked `commits` send requests that commit, and show that these changed nothing; the others roll back.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests import databases
from tests.matrix.calls import rolled_back
from tests.matrix.contract import Contract
from tests.matrix.owner import Owner
from tests.matrix.world import World, build, number_pending


@pytest.fixture(scope="session")
def world(own_valkey_database: None, django_db_blocker: pytest.FixtureDef) -> Iterator[World]:
    """Two tenants, committed once."""
    with django_db_blocker.unblock(), databases.cloned_database() as name:  # type: ignore[attr-defined]
        databases.log_in("web", name)
        built = build(name)
        databases.log_in("worker", name)
        number_pending()
        databases.log_in("web", name)
        yield built


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest, world: World, django_db_blocker: pytest.FixtureDef) -> Iterator[str]:
    """Stand in for the suite's fixture of this name: the matrix's database instead of an empty one."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        if connection.settings_dict["NAME"] != world.database:
            databases.log_in("web", world.database)
        if request.node.get_closest_marker("commits"):
            yield world.database
            return
        with rolled_back():
            yield world.database


@pytest.fixture(autouse=True)
def lasting_proof(settings: Any) -> None:
    """The matrix asks for an hour on a slow machine, on one sign-in."""
    settings.REAUTHENTICATION_SECONDS = 3600


@pytest.fixture(scope="session")
def owner(world: World) -> Iterator[Owner]:
    looking = Owner(world.database)
    yield looking
    looking.connection.close()


@pytest.fixture(scope="session")
def contract(world: World) -> Contract:
    """The OpenAPI document that this server serves."""
    answer = world.client("anonymous").get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return Contract(answer.json())
