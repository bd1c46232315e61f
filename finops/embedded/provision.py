"""Roles and the database of the embedded cluster, from the same SQL that production uses."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from finops.embedded.home import Home
from finops.embedded.postgres import Postgres

DATABASE = "finops"
OWNER, WEB, WORKER = "finops_owner", "finops_web", "finops_worker"
DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "postgres"


def provision(postgres: Postgres, *, allow_createdb: bool = False) -> None:
    """Create or repair the roles, their passwords and the database; safe to run again."""
    with postgres.connect() as connection:
        connection.execute(_script("roles.sql"))
        for role in (OWNER, WEB, WORKER):
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), password_of(postgres.home, role))
            )
        if allow_createdb:
            connection.execute("ALTER ROLE finops_owner CREATEDB")
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if exists is None:
            connection.execute("CREATE DATABASE finops OWNER finops_owner ENCODING 'UTF8' TEMPLATE template0")
    with postgres.connect(DATABASE) as connection:
        connection.execute(_script("database.sql"))


def password_of(home: Home, role: str) -> str:
    """Return the generated password of a login role."""
    return home.secret(role)


def _script(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")
