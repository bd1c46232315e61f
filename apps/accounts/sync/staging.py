"""Brings a reading into a temporary table.

COPY into a table under row-level security is refused, and comparing sets is the database's work: so the rows travel
once, as text, and everything after happens in SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from apps.accounts.types import AccountReading
from apps.core.ids import new_id
from apps.core.money import plain
from apps.providers.types import TransactionData

_CREATE = """
    CREATE TEMPORARY TABLE accounts_staged (
        n integer NOT NULL,
        id uuid NOT NULL,
        account_id uuid NOT NULL,
        external_id text NOT NULL,
        amount numeric NOT NULL,
        currency text NOT NULL,
        date date NOT NULL,
        description text NOT NULL,
        counterparty text NOT NULL,
        provider_category text NOT NULL,
        status text NOT NULL,
        category_override text NOT NULL DEFAULT '',
        note text NOT NULL DEFAULT '',
        replaces_id uuid
    ) ON COMMIT DROP
"""
_COPY = """
    COPY accounts_staged (n, id, account_id, external_id, amount, currency, date, description, counterparty,
        provider_category, status) FROM STDIN
"""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class StagedRow(NamedTuple):
    """A transaction as text, ready for COPY; `id` is its id if it turns out to be new."""

    id: str
    account_id: str
    external_id: str
    amount: str
    currency: str
    date: str
    description: str
    counterparty: str
    provider_category: str
    status: str


@dataclass(frozen=True, slots=True)
class Staged:
    """The rows of one sync, and the body of the COPY that stages them; a row's `n` is its index."""

    rows: Sequence[StagedRow]
    sources: Sequence[TransactionData]
    body: bytes


def prepare(readings: Sequence[AccountReading], account_ids: dict[str, UUID]) -> Staged:
    """Return the rows of all readings, the oldest of each account first; outside of any transaction."""
    rows: list[StagedRow] = []
    sources: list[TransactionData] = []
    for reading in readings:
        account_id = str(account_ids[reading.data.external_id])
        # The provider lists the newest first and ids grow, so that rows of one day keep the provider's order.
        newest_first = sorted((reading.rows or {}).values(), key=lambda row: row.date, reverse=True)
        for source in reversed(newest_first):
            rows.append(_row(source, account_id))
            sources.append(source)
    body = "".join(_line(n, row) for n, row in enumerate(rows))
    return Staged(rows, sources, body.encode())


def copy(cursor: Any, staged: Staged) -> None:
    """Create the temporary table and fill it; it lives until the transaction ends."""
    cursor.execute(_CREATE)
    with cursor.copy(_COPY) as target:
        target.write(staged.body)


def _row(source: TransactionData, account_id: str) -> StagedRow:
    return StagedRow(
        str(new_id()),
        account_id,
        source.external_id,
        plain(source.amount),
        source.currency,
        source.date.isoformat(),
        source.description[:1000],
        source.counterparty[:200],
        source.category[:100],
        source.status,
    )


def _line(n: int, row: StagedRow) -> str:
    text = "\t".join(row)
    # Nearly no row needs escaping, and looking at the joined text costs a fraction of looking at each field.
    if "\\" in text or "\n" in text or "\r" in text or text.count("\t") != len(row) - 1:
        text = "\t".join(value.translate(_ESCAPES) for value in row)
    return f"{n}\t{text}\n"
