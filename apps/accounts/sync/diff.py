"""Compares the staged rows with ours, in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from apps.accounts.enums import TransactionStatus
from apps.accounts.types import AccountReading

_PROVIDER_COLUMNS = ("amount", "currency", "date", "description", "counterparty", "provider_category", "status")
_DIFFERS = "({ours}) IS DISTINCT FROM ({theirs})".format(
    ours=", ".join(f"t.{name}" for name in _PROVIDER_COLUMNS),
    theirs=", ".join(f"s.{name}" for name in _PROVIDER_COLUMNS),
)
# The rows are locked, so that a client's edit comes either before the comparison or after the commit.
_CHANGED = f"""
    SELECT s.n, t.id, t.amount, t.status, t.category_override, t.note, t.replaces_id
    FROM accounts_staged s
    JOIN accounts_transaction t
      ON t.tenant_id = %(tenant)s AND t.account_id = s.account_id AND t.external_id = s.external_id
    WHERE {_DIFFERS}
    ORDER BY t.id
    FOR UPDATE OF t
"""  # noqa: S608  (column names are ours)
_NEW = """
    SELECT s.n FROM accounts_staged s
    WHERE s.account_id = ANY(%(known)s) AND NOT EXISTS (
        SELECT FROM accounts_transaction t
        WHERE t.tenant_id = %(tenant)s AND t.account_id = s.account_id AND t.external_id = s.external_id)
    ORDER BY s.n
"""
_VANISHED = """
    SELECT t.id, t.account_id, t.external_id, t.amount, t.currency, t.date, t.description, t.counterparty,
           t.provider_category, t.status, t.category_override, t.note, t.replaces_id
    FROM unnest(%(accounts)s::uuid[], %(sinces)s::date[]) AS w (account_id, since)
    JOIN accounts_transaction t ON t.tenant_id = %(tenant)s AND t.account_id = w.account_id
     AND t.date >= w.since AND t.status <> 'removed'
    WHERE NOT EXISTS (
        SELECT FROM accounts_staged s WHERE s.account_id = t.account_id AND s.external_id = t.external_id)
    ORDER BY t.id
    FOR UPDATE OF t
"""
_BEGINNING = date.min
_POSTED_STATUS = TransactionStatus.POSTED.value


class ChangedRow(NamedTuple):
    """A row of ours whose provider's columns differ from staged row `n`; amount and status are as before."""

    n: int
    id: UUID
    amount: Decimal
    status: str
    category_override: str
    note: str
    replaces_id: UUID | None


class VanishedRow(NamedTuple):
    """A row of ours that the provider no longer shows."""

    id: UUID
    account_id: UUID
    external_id: str
    amount: Decimal
    currency: str
    date: date
    description: str
    counterparty: str
    provider_category: str
    status: str
    category_override: str
    note: str
    replaces_id: UUID | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done: `new` are indexes of staged rows."""

    new: Sequence[int]
    changed: Sequence[ChangedRow]
    vanished: Sequence[VanishedRow]


def compare(
    cursor: Any,
    *,
    tenant_id: UUID,
    readings: dict[UUID, AccountReading],
    first_reads: set[UUID],
    accounts_of: Sequence[str],
) -> Difference:
    """Return the difference between the staged rows and ours, and lock ours where they differ.

    `accounts_of` gives each staged row's account id. All rows of a first read are new, without asking.
    """
    known = [account_id for account_id in readings if account_id not in first_reads]
    firsts = {str(account_id) for account_id in first_reads}
    new = [n for n, account_id in enumerate(accounts_of) if account_id in firsts] if firsts else []
    if not known:
        return Difference(new, [], [])
    # A fresh table has no statistics, and the planner would choose a nested loop over a hash join.
    cursor.execute("ANALYZE accounts_staged")
    cursor.execute(_NEW, {"tenant": tenant_id, "known": known})
    new += [row[0] for row in cursor.fetchall()]
    cursor.execute(_CHANGED, {"tenant": tenant_id})
    changed = [ChangedRow(*row) for row in cursor.fetchall()]
    return Difference(sorted(new), changed, _vanished(cursor, tenant_id, [(key, readings[key]) for key in known]))


def _vanished(cursor: Any, tenant_id: UUID, readings: Sequence[tuple[UUID, AccountReading]]) -> list[VanishedRow]:
    """Return the rows whose absence means something: inside a window that was read to its end."""
    complete = [(key, reading) for key, reading in readings if reading.rows is not None and reading.is_complete]
    cursor.execute(
        _VANISHED,
        {
            "tenant": tenant_id,
            "accounts": [key for key, _reading in complete],
            "sinces": [reading.since or _BEGINNING for _key, reading in complete],
        },
    )
    refused = {(key, external_id) for key, reading in complete for external_id in reading.refused}
    rows = [VanishedRow(*row) for row in cursor.fetchall()]
    return [row for row in rows if (row.account_id, row.external_id) not in refused]


def posted_amount(status: str, amount: Decimal) -> Decimal:
    """Return what a row counts for in the balance."""
    return amount if status == _POSTED_STATUS else Decimal(0)
