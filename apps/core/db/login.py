"""Refuses to run under a database login for which row-level security would not hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

# The login itself first, then every role that it may become. For a superuser that is every role there is.
_ROLES = """
SELECT r.rolname, r.rolname = session_user, r.rolsuper, r.rolbypassrls,
    EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname = 'public')
FROM pg_catalog.pg_roles r
WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
ORDER BY r.rolname <> session_user, r.rolname
"""


class UnsafeLogin(Exception):
    """The database login could see or change every tenant's rows."""


@dataclass(frozen=True, slots=True)
class LoginRole:
    """A role that the login is or may become, and what makes it dangerous."""

    name: str
    is_login: bool
    is_superuser: bool
    bypasses_row_security: bool
    owns_tables: bool


def assert_safe_login() -> None:
    """Check the connection's login role; web, worker and beat call it before they serve.

    Raises:
        UnsafeLogin: it is, or may become, a superuser, a role with BYPASSRLS, or an owner of our tables.
    """
    _assert_safe(connection)


def assert_safe_login_later() -> None:
    """Check the role of the first connection that this process gets: until it is a safe one, it gets none."""
    connection_created.connect(_refuse_unsafe, weak=False)


def _refuse_unsafe(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    try:
        _assert_safe(connection)
    except UnsafeLogin:
        connection.close()
        raise
    connection_created.disconnect(_refuse_unsafe)


def _assert_safe(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ROLES)
        danger = find_danger(LoginRole(*row) for row in cursor.fetchall())
    if danger:
        raise UnsafeLogin(
            f"The database login {danger}: row-level security would not protect tenants. "
            f"Log in as finops_web or finops_worker (see deploy/postgres/roles.sql)."
        )


def find_danger(roles: Iterable[LoginRole]) -> str:
    """Return what is wrong with the first dangerous role, as the rest of a sentence; empty when none is."""
    for role in roles:
        facts = {
            "is a superuser": role.is_superuser,
            "has BYPASSRLS": role.bypasses_row_security,
            "owns the tables": role.owns_tables or role.name == "finops_owner",
        }
        reasons = [fact for fact, holds in facts.items() if holds]
        if reasons:
            who = role.name if role.is_login else f"may become {role.name}, which"
            return f"{who} {' and '.join(reasons)}"
    return ""
