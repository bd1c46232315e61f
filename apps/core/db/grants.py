"""Applies the grants on global tables after `migrate`, from the one list in apps.core.tenancy.

A table whose rows are not all for staff limited to some tenants is put under row-level security for their sake:
every other role that may use it sees all of it.
"""

from typing import Any

from django.db import connection

from apps.core.tenancy import GLOBAL_TABLES, GlobalTable, Limited

LIMITED = "finops_staff_limited"
_WRITES = {"insert": "WITH CHECK", "update": "USING", "delete": "USING"}


def grant_global_tables(**_signal: Any) -> None:
    """Revoke everything on each listed table, then grant what the list says; idempotent."""
    with connection.cursor() as cursor:
        existing = set(connection.introspection.table_names(cursor))
        for table, entry in sorted(GLOBAL_TABLES.items()):
            if table in existing:
                for statement in statements_for(table, entry):
                    cursor.execute(statement)


def statements_for(table: str, entry: GlobalTable) -> list[str]:
    """Return the statements that put a global table under what the list says of it."""
    grants = {
        "finops_web": entry.login,
        "finops_worker": entry.login,
        "finops_staff": entry.staff,
        LIMITED: entry.limited.privileges if entry.limited else "",
        "finops_app": entry.app,
        "finops_system": entry.system,
        "finops_impersonator": "SELECT" if entry.impersonator else "",
        "finops_grantee": "SELECT" if entry.impersonator else "",
        "finops_verifier": "SELECT",
    }
    statements = [f"REVOKE ALL ON {table} FROM {', '.join(grants)}"]
    statements += [f"GRANT {what} ON {table} TO {role}" for role, what in grants.items() if what]
    return statements + _policies(table, entry.limited, [role for role, what in grants.items() if what])


def _policies(table: str, limited: Limited | None, roles: list[str]) -> list[str]:
    names = ["everything", "limited", *_WRITES]
    drop = [f"DROP POLICY IF EXISTS {table}_{name} ON {table}" for name in names]
    if limited is None or limited.rows == "true":
        return [*drop, f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"]
    others = ", ".join(role for role in roles if role != LIMITED)
    # Not forced: what runs as the owner, such as definer functions and foreign keys, sees all rows.
    policies = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY {table}_everything ON {table} TO {others} USING (true)",
        f"CREATE POLICY {table}_limited ON {table} TO {LIMITED} USING ({limited.rows})",
    ]
    if limited.changes:
        # Permissive policies add up; restrictive ones narrow what another lets through.
        policies += [
            f"CREATE POLICY {table}_{verb} ON {table} AS RESTRICTIVE FOR {verb} TO {LIMITED} {how} ({limited.changes})"
            for verb, how in _WRITES.items()
        ]
    return [*drop, *policies]
