"""Applies the grants on global tables after `migrate`, from the one list in apps.core.tenancy."""

from typing import Any

from django.db import connection

from apps.core.tenancy import GLOBAL_TABLES, GlobalTable


def grant_global_tables(**_signal: Any) -> None:
    """Revoke everything on each listed table, then grant what the list says; idempotent."""
    with connection.cursor() as cursor:
        existing = set(connection.introspection.table_names(cursor))
        for table, entry in sorted(GLOBAL_TABLES.items()):
            if table in existing:
                for statement in _statements(table, entry):
                    cursor.execute(statement)


def _statements(table: str, entry: GlobalTable) -> list[str]:
    grants = {
        "finops_web": entry.login,
        "finops_worker": entry.login,
        "finops_staff": entry.staff,
        "finops_app": entry.app,
        "finops_system": entry.system,
        "finops_impersonator": "SELECT" if entry.impersonator else "",
    }
    statements = [f"REVOKE ALL ON {table} FROM {', '.join(grants)}"]
    statements += [f"GRANT {what} ON {table} TO {role}" for role, what in grants.items() if what]
    return statements
