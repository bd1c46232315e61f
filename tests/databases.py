"""Databases for tests: clones of the template, and where the connection logs in."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, Self
from uuid import uuid4

import psycopg
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from apps.audit import subject_keys
from tests.plugin import TEMPLATE

Owner = psycopg.Connection[tuple[Any, ...]]
Login = Literal["owner", "web", "worker"]


def url(login: Login, database: str) -> str:
    """Return the URL under which a login role reaches a database of the test cluster."""
    return json.loads(os.environ["FINOPS_TEST_URLS"])[login].replace("{database}", database)


def as_owner(database: str) -> Owner:
    """Connect as the owner of the tables; what is done commits."""
    return psycopg.connect(url("owner", database), autocommit=True)


@contextmanager
def cloned_database() -> Iterator[str]:
    """Create a database from the template (about 0.1 s) and drop it at the end."""
    name = f"test_{uuid4().hex[:12]}"
    with as_owner("finops") as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    try:
        yield name
    finally:
        with as_owner("finops") as owner:
            owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class EmptiedDatabase:
    """The database of the tests that commit: emptied before each of them, at a twentieth of a clone's cost.

    Rows are all that a test may leave behind. Whatever else it changes (tables, triggers, policies, grants,
    statistics, the rows that migrations made) shows in what `_shape` reads, and the next test begins with a clone.

    The owner's connection is kept from test to test: a new one would learn all tables anew, for four times as long.
    """

    USES = 100  # Autovacuum is off: what was deleted stays in the files.

    def __init__(self) -> None:
        self._clone = ExitStack()
        self._owner: Owner | None = None
        self._name = self._emptying = self._shape_query = self._shape = ""
        self._uses = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._clone.close()

    def take(self) -> str:
        """Return the name of a database that equals the template, and that nobody is connected to."""
        if self._owner is None or self._uses == self.USES or not self._empty(self._owner):
            self._clone.close()
            self._name, self._uses = self._clone.enter_context(cloned_database()), 0
            self._owner = self._clone.enter_context(as_owner(self._name))
            self._look_at(self._owner)
        self._uses += 1
        return self._name

    def _empty(self, owner: Owner) -> bool:
        """End what is still connected and delete what was written; return whether nothing else is left of it."""
        try:
            owner.execute(_END_SESSIONS)
            owner.execute(self._emptying)
            return self._read_shape(owner) == self._shape
        except psycopg.OperationalError:  # a test has ended every session, this one too
            return False

    def _look_at(self, owner: Owner) -> None:
        """Learn from a fresh clone what emptying it takes, and how it looks."""
        tables = [name for (name,) in owner.execute(_TABLES).fetchall()]
        filled = [name for name in tables if owner.execute(f"SELECT FROM {name} LIMIT 1").rowcount]
        sequences = owner.execute(_SEQUENCES).fetchall()
        self._emptying = ";".join(
            [
                "SET lock_timeout = '10s'",
                "SET session_replication_role = replica",  # no foreign key, no trigger of append-only tables
                *(f"DELETE FROM {name}" for name in tables if name not in filled),
                *(f"SELECT setval('{name}', {value}, {used})" for name, value, used in sequences),
            ]
        )
        shape = [f"SELECT concat(count(*), ' ', max(xmin::text::bigint)) FROM {name}" for name in _CATALOGS]
        shape += [f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {name} t" for name in filled]
        self._shape_query = f"SELECT concat_ws(', ', {', '.join(f'({part})' for part in [*shape, *_SETTINGS])})"
        self._shape = self._read_shape(owner)

    def _read_shape(self, owner: Owner) -> str:
        row = owner.execute(self._shape_query).fetchone()
        assert row is not None
        return str(row[0])


_END_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_SEQUENCES = """
SELECT quote_ident(sequencename), coalesce(last_value, start_value), last_value IS NOT NULL FROM pg_sequences
"""
# Every change of a definition writes a row of one of these, with a younger transaction than all before it.
_CATALOGS = (
    "pg_attrdef",
    "pg_attribute",
    "pg_class",
    "pg_constraint",
    "pg_default_acl",
    "pg_extension",
    "pg_index",
    "pg_inherits",
    "pg_policy",
    "pg_proc",
    "pg_rewrite",
    "pg_statistic_ext",
    "pg_trigger",
    "pg_type",
    "pg_namespace WHERE nspname !~ '^pg_'",
    "pg_database WHERE datname = current_database()",
    "pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
)
_SETTINGS = (
    "SELECT concat(sum(relpages), ' ', sum(reltuples)) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
)


def log_in(login: Login, database: str) -> None:
    """Point Django's connection, in every thread from now on, to a database as a login role."""
    parts = conninfo_to_dict(url(login, database))
    connection = connections["default"]
    connection.close()
    subject_keys.forget()  # they are another database's
    # Threads build their connections from this very dictionary.
    connection.settings_dict.update(
        NAME=parts["dbname"],
        USER=parts["user"],
        PASSWORD=parts["password"],
        HOST=parts["host"],
        PORT=parts["port"],
    )


def process_environment(database: str) -> dict[str, str]:
    """Return the environment for a subprocess (worker, web, command) on this database."""
    return {
        **os.environ,
        "DATABASE_URL": url("web", database),
        "DATABASE_WORKER_URL": url("worker", database),
        "DATABASE_OWNER_URL": url("owner", database),
    }
