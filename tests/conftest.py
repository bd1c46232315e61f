"""The fixtures of the whole suite: databases, cast, sandbox, real data."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from rest_framework.test import APIClient

from tests import databases
from tests.factories import tenants as tenant_factories
from tests.factories import users as user_factories
from tests.forks import Forks
from tests.memory import forget_all
from tests.sandbox_process import SandboxProcess

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Keep pytest-django from creating databases: ours are cloned as the owner."""


@pytest.fixture(scope="session")
def rollback_database() -> Iterator[str]:
    with databases.cloned_database() as name:
        yield name


@pytest.fixture(scope="session")
def emptied_database() -> Iterator[databases.EmptiedDatabase]:
    with databases.EmptiedDatabase() as kept:
        yield kept


@pytest.fixture(scope="session", autouse=True)
def own_valkey_database(worker_id: str) -> None:
    """Give each xdist worker a Valkey database of its own."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id != "master" else 0
    base = os.environ["REDIS_URL"].rsplit("/", 1)[0]
    os.environ["REDIS_URL"] = f"{base}/{number}"
    for name in ("REDIS_URL", "BROKER_URL", "CELERY_BROKER_URL"):
        setattr(settings, name, os.environ["REDIS_URL"])


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest, django_db_blocker: pytest.FixtureDef) -> Iterator[str]:
    """Run the test in a transaction that is rolled back; or, marked `commits`, in a database without rows.

    The connection logs in as finops_web; marked `worker_login`, as finops_worker (which implies `commits`).
    """
    node = request.node
    if node.get_closest_marker("no_database"):
        yield ""
        return
    worker = node.get_closest_marker("worker_login") is not None
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        if worker or node.get_closest_marker("commits"):
            name = request.getfixturevalue("emptied_database").take()
            databases.log_in("worker" if worker else "web", name)
            yield name
            connection.close()
            return
        name = request.getfixturevalue("rollback_database")
        if connection.settings_dict["NAME"] != name:
            databases.log_in("web", name)
        block = transaction.atomic()
        block._from_testcase = True  # type: ignore[attr-defined]  # what Django's TestCase sets, for assertions on open transactions
        block.__enter__()
        yield name
        transaction.set_rollback(True)
        block.__exit__(None, None, None)


@pytest.fixture
def process_environment(database: str) -> dict[str, str]:
    """The environment for a subprocess on this test's database."""
    return databases.process_environment(database)


@pytest.fixture
def owner(database: str) -> Iterator[databases.Owner]:
    """The database as the owner of its tables sees it; what it does commits."""
    with databases.as_owner(database) as connected:
        yield connected


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real recordings; absent is a skip, unless FINOPS_REQUIRE_SHARED_DATA=1 says otherwise."""
    folder = Path(os.environ.get("FINOPS_REALDATA", ROOT.parent / "shared" / "realdata"))
    if not folder.is_dir():
        if os.environ.get("FINOPS_REQUIRE_SHARED_DATA") == "1":
            pytest.fail(f"the real recordings are required but {folder} does not exist")
        pytest.skip(f"real recordings are not at {folder}; set FINOPS_REALDATA")
    return folder


@pytest.fixture(autouse=True)
def nothing_remembered(own_valkey_database: None) -> None:
    """Begin with limits that nobody has used and breakers that nobody has opened."""
    forget_all()


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> SandboxProcess:
    """The provider sandbox, without faults, as the platform's providers."""
    sandbox_process.clear_faults()
    monkeypatch.setattr(settings, "SANDBOX_URL", sandbox_process.url)
    monkeypatch.setenv("FINOPS_SANDBOX_URL", sandbox_process.url)
    return sandbox_process


@pytest.fixture(scope="session")
def forks(
    own_valkey_database: None, sandbox_process: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Forks]:
    environment = {**os.environ, "FINOPS_SANDBOX_URL": sandbox_process.url}
    with Forks(environment, tmp_path_factory.mktemp("forks") / "forks.log") as forks:
        yield forks


def client_for(secret: str = "") -> APIClient:
    """Return an API client that sends this API key, or none."""
    client = APIClient(raise_request_exception=False)
    if secret:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def acme(database: str):
    return tenant_factories.make_tenant("acme")


@pytest.fixture
def globex(database: str):
    return tenant_factories.make_tenant("globex")


@pytest.fixture
def acme_admin(acme) -> APIClient:
    return client_for(tenant_factories.make_api_key(acme, role="admin"))


@pytest.fixture
def acme_trader(acme) -> APIClient:
    return client_for(tenant_factories.make_api_key(acme, role="trader"))


@pytest.fixture
def acme_viewer(acme) -> APIClient:
    return client_for(tenant_factories.make_api_key(acme, role="viewer"))


@pytest.fixture
def globex_admin(globex) -> APIClient:
    return client_for(tenant_factories.make_api_key(globex, role="admin"))


@pytest.fixture
def anonymous() -> APIClient:
    return client_for()


@pytest.fixture
def staff(database: str):
    """A staff user with the admin's permissions; see tests/backoffice for a signed-in client."""
    return user_factories.make_user("staff", password="correct horse battery", is_staff=True, is_superuser=True)
