"""Starts the engines and builds the template database before Django reads its settings.

Loaded with `-p tests.plugin`. The process that the user started owns the engines; xdist workers inherit the
environment. State lives under `.finops-test/<slot>`, so that a second run starts in a second; several runs at
once take different slots.
"""

import atexit
import base64
import gc
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from finops.embedded.engines import Engines
from finops.embedded.errors import HomeUnusable
from finops.embedded.home import Home
from finops.embedded.provision import OWNER, WEB, WORKER, password_of

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = "finops_template"
SLOTS = 10

SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "finops.settings.test",
    "FINOPS_SECRET_KEY": "a-secret-key-for-the-test-suite-alone-0123456789-abcdefghijklmnop",
    "FINOPS_FIELD_KEYS": "t1:" + base64.b64encode(b"field-key-for-the-test-suite-001").decode(),
    "FINOPS_TOKEN_KEYS": "t1:" + base64.b64encode(b"token-key-for-the-test-suite-001").decode(),
    "FINOPS_AUDIT_KEYS": "t1:" + base64.b64encode(b"audit-key-for-the-test-suite-001").decode(),
    "FINOPS_BASE_URL": "http://testserver",
}


def migrations_digest() -> str:
    """Return a digest of everything that shapes the template database."""
    digest = hashlib.sha256()
    lists = [ROOT / "apps/core/tenancy.py", *sorted((ROOT / "apps/core/db").glob("*.py"))]
    for path in [
        *lists,
        *sorted(ROOT.glob("apps/*/migrations/*.py")),
        *sorted(ROOT.glob("deploy/postgres/*.sql")),
    ]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _start_engines() -> Engines:
    base = Path(os.environ.get("FINOPS_TEST_HOME", ROOT / ".finops-test"))
    base.mkdir(mode=0o755, exist_ok=True)
    for slot in range(SLOTS):
        engines = Engines(base / str(slot), tuning="test", allow_createdb=True)
        try:
            engines.start()
        except HomeUnusable as error:
            if "Another finops" not in str(error) or slot == SLOTS - 1:
                raise
        else:
            assert engines.postgres is not None
            with engines.postgres.connect() as superuser:
                _prepare_roles(superuser, engines.home)
            return engines
    raise AssertionError("unreachable")


_LET_OWNER_BE_ANY_ROLE = """
DO $$ DECLARE role_name text; BEGIN
    FOR role_name IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'finops\\_%' AND rolname <> 'finops_owner' LOOP
        EXECUTE format('GRANT %I TO finops_owner WITH INHERIT FALSE, SET TRUE', role_name);
    END LOOP;
END $$
"""


_EXPLAINED = [
    f"auto_explain.log_{name}"
    for name in ("min_duration", "analyze", "buffers", "timing", "nested_statements", "format", "level")
]


def _prepare_roles(superuser: psycopg.Connection[Any], home: Home) -> None:
    # Dropping a database ends what is still connected to it, as another role than the owner.
    superuser.execute("GRANT pg_signal_backend TO finops_owner WITH INHERIT TRUE")
    # Rows of append-only tables are deleted between tests, past the triggers that forbid it.
    superuser.execute("GRANT SET ON PARAMETER session_replication_role TO finops_owner")
    # The proof of plans has the server tell how it ran each statement.
    superuser.execute(f"GRANT SET ON PARAMETER session_preload_libraries, {', '.join(_EXPLAINED)} TO finops_owner")
    # The mutation proof changes the schema and looks at it as each role, inside one transaction that it rolls back.
    superuser.execute(_LET_OWNER_BE_ANY_ROLE)
    # Thousands of connections are opened, each of which would compute its proof for milliseconds.
    superuser.execute("SET scram_iterations = 1" if superuser.info.server_version >= 160000 else "SELECT")
    for role in (OWNER, WEB, WORKER):
        superuser.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), password_of(home, role)))


def _build_template(engines: Engines) -> None:
    digest = migrations_digest()
    with psycopg.connect(engines.database_url("finops_owner", "finops"), autocommit=True) as owner:
        row = owner.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [TEMPLATE]
        ).fetchone()
        if row and row[0] == digest:
            return
        owner.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        owner.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE finops")
        url = engines.database_url("finops_owner", TEMPLATE)
        migrate = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url, "DATABASE_OWNER_URL": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if migrate.returncode:
            raise SystemExit(f"The template database could not be migrated:\n{migrate.stderr[-4000:]}")
        owner.execute(f"COMMENT ON DATABASE {TEMPLATE} IS '{digest}'")


def _prepare() -> None:
    os.environ.update(SETTINGS)
    engines = _start_engines()
    atexit.register(engines.stop)
    os.environ.update(engines.environment)
    os.environ["FINOPS_TEST_URLS"] = json.dumps(
        {role: engines.database_url(f"finops_{role}", "{database}") for role in ("owner", "web", "worker")}
    )
    _build_template(engines)


# A process that a test starts, and that imports something of the tests, has inherited the engines, too.
if not {"PYTEST_XDIST_WORKER", "FINOPS_TEST_URLS"} & os.environ.keys():
    _prepare()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long tests first, whatever the random order: the others fill the time beside them."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Leave what is imported and collected by now out of garbage collection, which comes seldom: it is costly."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
