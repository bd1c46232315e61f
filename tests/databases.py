"""Databases for tests: clones of the template, and where the connection logs in."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from uuid import uuid4

import psycopg
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from tests.plugin import TEMPLATE

Login = Literal["owner", "web", "worker"]


def url(login: Login, database: str) -> str:
    """Return the URL under which a login role reaches a database of the test cluster."""
    return json.loads(os.environ["FINOPS_TEST_URLS"])[login].replace("{database}", database)


@contextmanager
def cloned_database() -> Iterator[str]:
    """Create a database from the template (about 0.1 s) and drop it at the end."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(url("owner", "finops"), autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    try:
        yield name
    finally:
        with psycopg.connect(url("owner", "finops"), autocommit=True) as owner:
            owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def log_in(login: Login, database: str) -> None:
    """Point Django's connection, in every thread from now on, to a database as a login role."""
    parts = conninfo_to_dict(url(login, database))
    connection = connections["default"]
    connection.close()
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
