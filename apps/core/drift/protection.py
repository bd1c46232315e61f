"""Row security, policies, grants, triggers and functions, as the catalogue has them."""

from collections import defaultdict
from collections.abc import Iterator

from django.apps import apps

from apps.core.db.statements import Statement
from apps.core.drift.comparing import NOTHING, Things, compare, drift, means_the_same
from apps.core.drift.declared import Grant, Policy, function_text, protection, trigger_text
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Row, Seen, Subject, read

OWNER = "finops_owner"
_TABLES = """
SELECT c.relname AS table, pg_get_userbyid(c.relowner) AS owner, c.relkind::text AS kind,
       c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
       (SELECT count(*) FROM pg_rewrite r WHERE r.ev_class = c.oid) AS rules
  FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""
_GRANTS = """
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, c.relname AS name,
       a.privilege_type AS privilege, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END AS role
  FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   AND a.grantee <> c.relowner
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'table', c.relname || '.' || t.attname, a.privilege_type,
       CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END
  FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN aclexplode(t.attacl) a
 WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
UNION ALL
SELECT 'function', p.proname, a.privilege_type,
       CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END
  FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
 WHERE p.pronamespace = 'public'::regnamespace AND a.grantee <> p.proowner
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'default', coalesce(d.defaclnamespace::regnamespace::text, 'everywhere'), a.privilege_type,
       CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END
  FROM pg_default_acl d CROSS JOIN aclexplode(d.defaclacl) a WHERE a.grantee <> d.defaclrole
"""
_POLICIES = """
SELECT c.relname AS table, p.polname AS name, p.polpermissive AS is_permissive,
       CASE p.polcmd WHEN '*' THEN 'ALL' WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                     ELSE 'DELETE' END AS command,
       ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END FROM unnest(p.polroles) r ORDER BY 1)
           AS roles,
       pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace
"""
_TRIGGERS = """
SELECT c.relname AS table, t.tgname AS name, t.tgenabled::text AS enabled, t.tgisinternal AS is_internal,
       pg_get_triggerdef(t.oid) AS definition
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'public'::regnamespace
"""
_FUNCTIONS = """
SELECT p.proname AS name, l.lanname AS language, p.prosecdef AS is_definer, p.prosrc AS body,
       pg_get_userbyid(p.proowner) AS owner,
       coalesce((SELECT substring(s FROM 13) FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%%'), '') AS path
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'public'::regnamespace
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""


def _read(sql: str) -> list[Row]:
    with snapshot_scope():
        return read(Statement(sql))


def walk_tables(_subject: Subject) -> Iterator[Seen | Finding]:
    """Compare every table's row security and owner; what is no table of ours was never declared."""
    names = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {"django_migrations"}
    security = protection().security
    declared = {(name, "table"): _security(security.get(name, set())) for name in names}
    return compare(declared, {(row["table"], _KINDS[row["kind"]]): _table(row) for row in _read(_TABLES)})


_KINDS = {"r": "table", "p": "table", "v": "view", "m": "view", "f": "foreign table"}


def _security(words: set[str], owner: str = OWNER) -> str:
    return f"row security {' and '.join(sorted(words)) or 'off'}, owned by {owner}"


def _table(row: Row) -> str:
    words = {word for word in ("enabled", "forced") if row[word]}
    rules = f", {row['rules']} rules" if row["rules"] else ""
    return _security(words, row["owner"]) + rules


def walk_grants(_subject: Subject) -> Iterator[Seen | Finding]:
    """Compare what every role may do with every table, column and sequence, and who may run which function."""
    actual: set[Grant] = {(row["kind"], row["name"], row["privilege"], row["role"]) for row in _read(_GRANTS)}
    return compare(_by_role(protection().grants), _by_role(actual - _maintain(actual)))


def _maintain(grants: set[Grant]) -> set[Grant]:
    """Return the privilege that PostgreSQL 17 gave owners; it lets nobody read or write rows."""
    return {grant for grant in grants if grant[2] == "MAINTAIN" and grant[3] == OWNER}


def _by_role(grants: set[Grant]) -> Things:
    """Return what each role may, by the object: its privileges, and those on single columns."""
    held: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for _kind, name, privilege, role in grants:
        table, _dot, column = name.partition(".")
        held[table, role][privilege].add(column)
    return {key: ", ".join(_privilege(*item) for item in sorted(by_name.items())) for key, by_name in held.items()}


def _privilege(name: str, columns: set[str]) -> str:
    return name if "" in columns else f"{name} ({', '.join(sorted(columns))})"


def walk_triggers(_subject: Subject) -> Iterator[Seen | Finding]:
    """Compare every trigger; one that is disabled is not there."""
    actual: dict[tuple[str, str], str] = {}
    declared: dict[tuple[str, str], str] = {key: f"{words}, enabled" for key, words in protection().triggers.items()}
    for row in _read(_TRIGGERS):
        key = row["table"], row["name"]
        state = "enabled" if row["enabled"] in ("O", "A") else "disabled"
        words = "it holds a foreign key" if row["is_internal"] else (trigger_text(row["definition"]) or key)[-1]
        actual[key] = f"{words}, {state}"
        if row["is_internal"]:
            declared[key] = f"{words}, enabled"
    return compare(declared, actual)


def walk_functions(_subject: Subject) -> Iterator[Seen | Finding]:
    """Compare every function's body and rights."""
    declared = {("pg_proc", name): f"{text}, owned by {OWNER}" for name, text in protection().functions.items()}
    actual = {}
    for row in _read(_FUNCTIONS):
        text = function_text(row["language"], row["is_definer"], row["path"], row["body"])
        actual["pg_proc", row["name"]] = f"{text}, owned by {row['owner']}"
    return compare(declared, actual)


def walk_policies(_subject: Subject) -> Iterator[Seen | Finding]:
    """Compare every policy: its manner in words, its expressions by what the server makes of them."""
    declared = protection().policies
    with snapshot_scope():
        rows = read(Statement(_POLICIES))
        actual = {(row["table"], row["name"]): Policy(**{**row, "roles": tuple(row["roles"])}) for row in rows}
        both = [(declared[key], actual[key]) for key in sorted(declared.keys() & actual.keys())]
        altered = [finding for pair in both for finding in _altered(*pair)]
    yield from compare(
        {key: policy.manner for key, policy in declared.items()},
        {key: policy.manner for key, policy in actual.items()},
    )
    yield from altered


def _altered(declared: Policy, actual: Policy) -> Iterator[Finding]:
    pairs = (("USING", declared.using, actual.using), ("WITH CHECK", declared.check, actual.check))
    for what, expected, found in pairs:
        if not means_the_same(declared.table, expected, found):
            yield drift(declared.table, f"{declared.name} {what}", expected or NOTHING, found or NOTHING)
