"""PostgreSQL and Valkey start, keep their data and their secrets, and end with whoever started them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from finops.embedded.engines import Engines
from finops.embedded.errors import EmbeddedError, HomeUnusable, UnsupportedPlatform
from finops.embedded.home import Home
from tests.embedded.conftest import PROJECT, eventually, processes_in

pytestmark = pytest.mark.no_database


@pytest.fixture(scope="module")
def module_home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="finops-engines-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def engines(module_home: Path) -> Iterator[Engines]:
    with Engines(module_home, tuning="test") as engines:
        yield engines


def test_each_url_logs_in_as_its_role(engines: Engines) -> None:
    users = {}
    for name in ("DATABASE_URL", "DATABASE_WORKER_URL", "DATABASE_OWNER_URL"):
        with psycopg.connect(engines.environment[name]) as connection:
            users[name] = connection.execute("SELECT session_user, current_database()").fetchone()
    assert users == {
        "DATABASE_URL": ("finops_web", "finops"),
        "DATABASE_WORKER_URL": ("finops_worker", "finops"),
        "DATABASE_OWNER_URL": ("finops_owner", "finops"),
    }


def test_no_role_has_more_than_it_needs(engines: Engines) -> None:
    assert engines.postgres is not None
    with engines.postgres.connect() as connection:
        roles = connection.execute(
            "SELECT rolname, rolcanlogin, rolinherit, "
            "       rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole "
            "FROM pg_roles WHERE rolname LIKE 'finops%' ORDER BY rolname"
        ).fetchall()
        memberships = connection.execute(
            "SELECT member::regrole::text, roleid::regrole::text, inherit_option, set_option, admin_option "
            "FROM pg_auth_members WHERE member::regrole::text LIKE 'finops%' ORDER BY 1, 2"
        ).fetchall()
    assert roles == [
        ("finops_app", False, False, False),
        ("finops_grantee", False, False, False),
        ("finops_impersonator", False, False, False),
        ("finops_owner", True, False, False),
        ("finops_staff", False, False, False),
        ("finops_staff_limited", False, False, False),
        ("finops_system", False, False, False),
        ("finops_verifier", False, False, False),
        ("finops_web", True, False, False),
        ("finops_worker", True, False, False),
    ]
    assert memberships == [
        ("finops_web", "finops_app", False, True, False),
        ("finops_web", "finops_grantee", False, True, False),
        ("finops_web", "finops_impersonator", False, True, False),
        ("finops_web", "finops_staff", False, True, False),
        ("finops_web", "finops_staff_limited", False, True, False),
        ("finops_worker", "finops_app", False, True, False),
        ("finops_worker", "finops_system", False, True, False),
        ("finops_worker", "finops_verifier", False, True, False),
    ]


def test_temporary_tables_are_for_the_roles_that_stage_bulk_writes(engines: Engines) -> None:
    with psycopg.connect(engines.environment["DATABASE_URL"], autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TEMP TABLE staging (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.mine (id int)")
        connection.execute("SET ROLE finops_app")
        connection.execute("CREATE TEMP TABLE staging (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE finops_system")


def test_nobody_gets_in_without_the_password(engines: Engines) -> None:
    url = engines.environment["DATABASE_URL"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace("finops_web:", "finops_web:x"))
    assert engines.valkey is not None
    with (
        redis.Redis(port=engines.valkey.port, protocol=2, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError, match="Authentication required"),
    ):
        stranger.ping()


def test_text_sorts_the_same_on_every_machine(engines: Engines) -> None:
    with psycopg.connect(engines.environment["DATABASE_OWNER_URL"]) as connection:
        row = connection.execute(
            "SELECT pg_encoding_to_char(encoding), upper('ä'), "
            "       (SELECT string_agg(name, '' ORDER BY name) FROM unnest(ARRAY['b','a','B','ä']) name) "
            "FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("UTF8", "Ä", "Babä")


def test_the_engines_know_none_of_our_secrets(engines: Engines) -> None:
    for pid in processes_in(engines.home.path):
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        for secret in engines.home.read("secrets.json").values():
            assert secret.encode() not in environment + arguments


def test_an_engine_that_dies_is_known_by_name_and_revived_on_its_port(home_path: Path) -> None:
    with Engines(home_path, tuning="test") as engines:
        assert engines.dead() is None
        before = engines.environment
        assert engines.postgres is not None
        postmaster = int((home_path / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        assert eventually(lambda: engines.dead() == "PostgreSQL")
        engines.revive()
        assert engines.dead() is None
        assert engines.environment == before
        psycopg.connect(before["DATABASE_URL"]).close()
    assert processes_in(home_path) == []


STARTER = """
import pathlib, sys, time
from finops.embedded.engines import Engines
engines = Engines(pathlib.Path(sys.argv[1]), tuning="dev")
engines.start()
print(engines.environment["DATABASE_OWNER_URL"], flush=True)
time.sleep(60)
"""


def test_kill_9_of_the_starter_leaves_no_engine_and_no_data_is_lost(home_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(home_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        url = starter.stdout.readline().strip()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        starter.kill()
    # Started at once, while what the killed one left is still on its way out.
    with Engines(home_path, tuning="dev") as engines:
        assert engines.environment["DATABASE_OWNER_URL"] == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert eventually(lambda: processes_in(home_path) == [])


def test_an_interrupted_creation_of_the_cluster_is_begun_again(home_path: Path) -> None:
    home = Home(home_path)
    home.open()
    home.close()
    half = home_path / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    with Engines(home_path, tuning="test", valkey=False) as engines:
        assert sorted(engines.environment) == ["DATABASE_OWNER_URL", "DATABASE_URL", "DATABASE_WORKER_URL"]
    assert not half.exists()


def test_a_port_that_was_taken_meanwhile_is_changed(home_path: Path) -> None:
    with Engines(home_path, tuning="test", postgres=False) as engines:
        assert engines.valkey is not None
        port = engines.valkey.port
    with socket.create_server(("127.0.0.1", port)), Engines(home_path, postgres=False) as engines:
        assert engines.valkey is not None
        assert engines.valkey.port != port
        with redis.Redis.from_url(engines.environment["REDIS_URL"]) as client:
            assert client.ping() is True


def test_a_machine_without_binaries_is_told_what_to_set(home_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINOPS_PG_BIN", str(home_path))
    with pytest.raises(UnsupportedPlatform) as refused:
        Engines(home_path).start()
    assert str(refused.value) == (
        f"There is no PostgreSQL for this machine in {home_path}: install PostgreSQL 15 to 18 and "
        f"set FINOPS_PG_BIN to its folder of binaries, or set DATABASE_URL to a server."
    )
    Home(home_path).open()  # The refusal released the lock.


def test_production_settings_never_get_embedded_engines(home_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "finops.settings.production")
    with pytest.raises(EmbeddedError, match=r"^finops\.settings\.production never runs on embedded engines: set"):
        Engines(home_path).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's engines run as another user")
def test_root_is_told_which_folder_the_engines_user_cannot_enter(home_path: Path) -> None:
    closed = home_path / "closed"
    closed.mkdir()
    home_path.chmod(0o755)
    closed.chmod(0o700)
    with pytest.raises(HomeUnusable) as refused:
        Engines(closed / "home").start()
    assert str(refused.value) == (
        f"As root the engines run as the user 'nobody', who cannot enter {closed}: "
        f"move the project and FINOPS_HOME to where everyone may pass (such as /srv or /opt), "
        f"allow it with 'chmod o+x {closed}', or run as an ordinary user."
    )
    assert closed.stat().st_mode & 0o777 == 0o700
