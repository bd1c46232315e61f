"""Tables with values sealed under the installation's field keys: how each is counted, and moved to the current key.

A room declares its table with a `SealedTable`; `finops/seals.py` lists them all, for the hourly job and for
`manage.py rotate_keys`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from apps.core import crypto
from apps.core.scope import system_scope

BATCH = 200


class Row(NamedTuple):
    """A row under another key than the current one; a row of a global table has no tenant."""

    id: UUID
    tenant_id: UUID | None


class Batch(NamedTuple):
    """How many rows were looked at, and how many of them were moved to the current key."""

    seen: int
    moved: int


def key_id_in(column: str) -> str:
    """Return the SQL expression of the id that begins what `crypto.encrypt` made."""
    return f"convert_from(substring({column} FROM 1 FOR position('\\x7c'::bytea IN {column}) - 1), 'UTF8')"


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with one sealed value a row.

    `key_id` is the SQL expression of a row's key, `held` the condition on rows that hold a value; finops_system may
    read what both name. `reseal` puts one row under the current key, in a scope of its own, and returns whether it did:
    what cannot be opened, or belongs to a tenant that is switched to read-only, is passed over and logged. A global
    table is read by the login role. `value` is the column of what is sealed, `bound_to` the SQL expression of what that
    is bound to: verification opens it by these.
    """

    name: str
    table: str
    reseal: Callable[[Row, datetime], bool]
    key_id: str = "key_id"
    held: str = "true"
    is_global: bool = False
    _: KW_ONLY
    bound_to: str
    value: str = "ciphertext"

    def count(self) -> dict[str, int]:
        """Return how many rows are under each key."""
        with self._scope(), connection.cursor() as cursor:
            cursor.execute(f"SELECT {self.key_id}, count(*) FROM {self.table} WHERE {self.held} GROUP BY 1")  # noqa: S608  (a room's own words)
            return dict(cursor.fetchall())

    def renew(self, *, now: Callable[[], datetime], limit: int = BATCH) -> Iterator[Batch]:
        """Move every row to the current key, `limit` rows a step; each row commits by itself.

        Ended anywhere, it goes on where it was: what has been moved is not found again.
        """
        after: UUID | None = None
        while True:
            rows = self._find(after, limit)
            if rows:
                yield Batch(len(rows), sum(self.reseal(row, now()) for row in rows))
            if len(rows) < limit:
                return
            after = rows[-1].id

    def _find(self, after: UUID | None, limit: int) -> list[Row]:
        tenant = "NULL::uuid" if self.is_global else "tenant_id"
        query = f"""SELECT id, {tenant} FROM {self.table}
            WHERE {self.held} AND {self.key_id} <> %s AND id > %s ORDER BY id LIMIT %s"""  # noqa: S608  (as above)
        with self._scope(), connection.cursor() as cursor:
            cursor.execute(query, [crypto.current_key_id(), after or UUID(int=0), limit])
            return [Row(*row) for row in cursor.fetchall()]

    def _scope(self) -> AbstractContextManager[object]:
        return transaction.atomic() if self.is_global else system_scope()
