"""The platform's roles: what each is, and which it may become. deploy/postgres/roles.sql makes them so."""

from collections.abc import Iterable, Iterator

from apps.core.db.statements import Statement
from apps.core.drift.comparing import Things, compare
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Row, Seen, Subject, read

OWNER = "finops_owner"
LOGINS = (OWNER, "finops_web", "finops_worker")
BECOMES = {
    "finops_web": (
        "finops_app",
        "finops_staff",
        "finops_staff_limited",
        "finops_impersonator",
        "finops_grantee",
    ),
    "finops_worker": ("finops_app", "finops_system", "finops_verifier"),
}
_ROLES = """
SELECT rolname AS name, rolcanlogin AS "logs in", rolsuper AS "superuser", rolbypassrls AS "bypasses row security",
       rolcreaterole AS "creates roles", rolreplication AS "replicates", rolinherit AS "inherits"
  FROM pg_roles WHERE starts_with(rolname, 'finops_')
"""
# Whoever made a role has its admin option since PostgreSQL 16, and may neither be it nor use it.
_MEMBERSHIPS = """
SELECT pg_get_userbyid(m.member) AS member, pg_get_userbyid(m.roleid) AS role,
       coalesce((to_jsonb(m)->>'inherit_option')::boolean, member.rolinherit) AS inherits, m.admin_option AS administers
  FROM pg_auth_members m JOIN pg_roles member ON member.oid = m.member
 WHERE (starts_with(member.rolname, 'finops_') OR starts_with(pg_get_userbyid(m.roleid), 'finops_'))
   AND (starts_with(member.rolname, 'finops_') OR coalesce((to_jsonb(m)->>'set_option')::boolean, true)
        OR (to_jsonb(m)->>'inherit_option')::boolean)
   AND member.rolname <> 'finops_owner' AND NOT member.rolsuper
"""
# Settings that a session of the role would begin with, and by which it would pass the policies or name another tenant.
_SETTINGS = """
SELECT coalesce(pg_get_userbyid(NULLIF(s.setrole, 0)), 'everybody') AS role, setting
  FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) setting
 WHERE (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND setting ~ '^(role|row_security|session_replication_role|search_path|app\\.[a-z_]+)='
"""


def walk_roles(_subject: Subject) -> Iterator[Seen | Finding]:
    """Compare roles, who may become which, and what their sessions begin with."""
    with snapshot_scope():
        roles, memberships, settings = (read(Statement(sql)) for sql in (_ROLES, _MEMBERSHIPS, _SETTINGS))
    return compare(_declared(), _actual(roles, memberships, settings))


def _declared() -> Things:
    names = {*LOGINS, *(role for roles in BECOMES.values() for role in roles)}
    powers = {("pg_roles", name): "logs in" if name in LOGINS else "no powers" for name in names}
    pairs = [f"{member} becomes {role}" for member, roles in BECOMES.items() for role in roles]
    return powers | {("pg_auth_members", pair): "it may" for pair in pairs}


def _actual(roles: Iterable[Row], memberships: Iterable[Row], settings: Iterable[Row]) -> Things:
    actual = {}
    for row in roles:
        powers = ", ".join(power for power, held in row.items() if held is True)
        actual["pg_roles", row["name"]] = powers or "no powers"
    for row in memberships:
        manner = " without asking" * row["inherits"] + ", and lets others" * row["administers"]
        actual["pg_auth_members", f"{row['member']} becomes {row['role']}"] = f"it may{manner}"
    return actual | {("pg_db_role_setting", row["role"]): row["setting"] for row in settings}
