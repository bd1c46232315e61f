"""A process refuses to start under a login that row-level security does not bind."""

import pytest
from django.db import connection

from apps.core.db.login import (
    LoginRole,
    UnsafeLogin,
    assert_safe_login,
    find_danger,
)
from finops.boot import refuse_unsafe_start
from tests import databases
from tests.sandbox_process import free_port


def role(name: str, *, is_login: bool = False, superuser: bool = False, bypass: bool = False, owns: bool = False):
    return LoginRole(name, is_login, superuser, bypass, owns)


def test_finops_web_may_serve() -> None:
    assert_safe_login()


@pytest.mark.worker_login
def test_finops_worker_may_serve() -> None:
    assert_safe_login()


@pytest.mark.commits
def test_the_owner_of_the_tables_may_not_serve(database: str) -> None:
    databases.log_in("owner", database)
    with pytest.raises(UnsafeLogin) as refusal:
        assert_safe_login()
    connection.close()
    assert str(refusal.value) == (
        "The database login finops_owner owns the tables: row-level security would not protect tenants. "
        "Log in as finops_web or finops_worker (see deploy/postgres/roles.sql)."
    )


@pytest.mark.commits
def test_where_the_database_comes_later_so_does_the_check(database: str) -> None:
    connection.close()
    connection.settings_dict["PORT"] = str(free_port())
    refuse_unsafe_start()  # nobody listens there, and the process starts nevertheless
    databases.log_in("owner", database)
    for _attempt in range(2):
        with pytest.raises(UnsafeLogin):
            connection.ensure_connection()
        assert connection.connection is None
    databases.log_in("web", database)
    connection.ensure_connection()
    assert connection.connection is not None


@pytest.mark.no_database
@pytest.mark.parametrize(
    ("roles", "danger"),
    [
        ([role("web", is_login=True), role("finops_app"), role("finops_staff")], ""),
        ([role("postgres", is_login=True, superuser=True, bypass=True)], "postgres is a superuser and has BYPASSRLS"),
        ([role("web", is_login=True, bypass=True)], "web has BYPASSRLS"),
        ([role("web", is_login=True), role("finops_owner")], "may become finops_owner, which owns the tables"),
        ([role("web", is_login=True), role("dba", owns=True)], "may become dba, which owns the tables"),
        ([role("web", is_login=True), role("root", superuser=True)], "may become root, which is a superuser"),
    ],
)
def test_every_role_that_the_login_may_become_counts(roles: list[LoginRole], danger: str) -> None:
    assert find_danger(roles) == danger
