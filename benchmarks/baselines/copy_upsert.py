"""The plain bulk load: COPY to a temporary table, then one upsert."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.actor import system_actor
from apps.core.scope import write_scope

Row = tuple[Any, ...]
COLUMNS = (
    "id",
    "tenant_id",
    "account_id",
    "external_id",
    "amount",
    "currency",
    "date",
    "description",
    "counterparty",
    "provider_category",
    "category_override",
    "note",
    "status",
    "version",
    "created_at",
    "updated_at",
)
_NAMES = ", ".join(COLUMNS)
_UPSERT = f"""
    INSERT INTO accounts_transaction ({_NAMES}) SELECT {_NAMES} FROM bench_rows
    ON CONFLICT (tenant_id, account_id, external_id) DO UPDATE
    SET amount = EXCLUDED.amount, currency = EXCLUDED.currency, date = EXCLUDED.date,
        description = EXCLUDED.description, counterparty = EXCLUDED.counterparty,
        provider_category = EXCLUDED.provider_category, status = EXCLUDED.status, updated_at = EXCLUDED.updated_at
"""


def copy_and_upsert(rows: Sequence[Row], *, tenant_id: UUID) -> None:
    """Bring rows, values in the order of COLUMNS, into the tenant's transactions, in one transaction."""
    with write_scope(system_actor("benchmark", tenant_id=tenant_id)), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bench_rows (LIKE accounts_transaction) ON COMMIT DROP")
        with cursor.copy(f"COPY bench_rows ({_NAMES}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(_UPSERT)
