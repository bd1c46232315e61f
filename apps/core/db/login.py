"""Refuses to run under a database login for which row-level security would not hold."""

from django.db import connection

# Every role that the login could become, itself included: a superuser's membership check is always true, which is
# as it should be.
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


def assert_safe_login() -> None:
    """Check the connection's login role; web, worker and beat call it before they serve.

    Raises:
        UnsafeLogin: it is, or may become, a superuser, a role with BYPASSRLS, or an owner of our tables.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ROLES)
        for name, is_login, is_superuser, bypasses, owns_tables in cursor.fetchall():
            facts = {
                "is a superuser": is_superuser,
                "has BYPASSRLS": bypasses,
                "owns tables": owns_tables or name == "finops_owner",
            }
            reasons = [fact for fact, holds in facts.items() if holds]
            if reasons:
                who = f"The database login {name}" if is_login else f"The database login may become {name}, which"
                raise UnsafeLogin(
                    f"{who} {' and '.join(reasons)}: row-level security would not protect tenants. "
                    f"Log in as finops_web or finops_worker (see deploy/postgres/roles.sql)."
                )
