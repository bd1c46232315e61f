"""What a log's batches say last of each row, for whoever holds rows to it.

A log may commit to more rows than belong into memory, so they are taken by ranges of their ids. Entries that wrote the
same row stand in the log in the order in which they wrote it: each took its `position` while it held the row's lock,
and sequences are given by position.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Max

from apps.audit.batches import CHUNK_ROWS
from apps.audit.models import AuditEntry
from apps.audit.tree import split_hashes
from apps.core.db.statements import Statement
from apps.core.verification import Row, read

_AT_ONCE = 64  # chunks, of up to 1,024 rows
_BEHIND_ALL = 2**31 - 1
_ID_BYTES = 16
_CHUNKS = """
SELECT entry.{order} AS place, entry.id AS entry_id, chunk.index, chunk.row_ids, chunk.row_hashes
  FROM audit_entry AS entry
  JOIN audit_batch_chunk AS chunk ON chunk.tenant_id = entry.tenant_id AND chunk.entry_id = entry.id
 WHERE entry.tenant_id = %s AND entry.action = ANY(%s) AND {which}
   AND entry.{order} >= %s AND (entry.{order}, chunk.index) > (%s, %s)
 ORDER BY entry.{order}, chunk.index LIMIT %s
"""
_NUMBERED = _CHUNKS.format(order="sequence", which="entry.sequence IS NOT NULL")
# Those that were taken before they had their number are not taken again: what changed their rows since then came later.
_PENDING = _CHUNKS.format(order="position", which="entry.sequence IS NULL AND entry.id <> ALL(%s)")


class Commitment(NamedTuple):
    """That an entry's batch has a row of this hash (RFC 9162's of a leaf) behind so many others."""

    row_hash: bytes
    entry_id: UUID
    behind: int


class Commitments:
    """The last commitment to each row of a tenant whose id lies in a range, by the id's bytes."""

    def __init__(self, tenant_id: UUID, actions: Sequence[str], *, after: UUID, until: UUID) -> None:
        self.of_row: dict[bytes, Commitment] = {}
        self._log: list[Any] = [tenant_id, list(actions)]
        self._tenant_id, self._after, self._until = tenant_id, after.bytes, until.bytes
        self._read_to = (0, -1)
        self._taken_early: set[UUID] = set()

    def read_on(self) -> bool:
        """Take in more of the numbered entries, in the open snapshot; tell whether there may be others."""
        numbered = AuditEntry.objects.filter(tenant_id=self._tenant_id, sequence__isnull=False)
        last = numbered.aggregate(Max("sequence"))["sequence__max"] or 0
        place, index = self._read_to
        chunks = read(Statement(_NUMBERED, [*self._log, place, place, index, _AT_ONCE]))
        self._take(chunk for chunk in chunks if chunk["entry_id"] not in self._taken_early)
        is_more = len(chunks) == _AT_ONCE
        # Whatever else the log has up to here is no batch, and need not be looked at again.
        self._read_to = (chunks[-1]["place"], chunks[-1]["index"]) if is_more else (last, _BEHIND_ALL)
        return is_more

    def catch_up(self) -> None:
        """Take in all that the open snapshot shows: rows that are read in it are what these commitments say."""
        while self.read_on():
            pass
        taken, place, index = list(self._taken_early), 0, -1
        while chunks := read(Statement(_PENDING, [*self._log, taken, place, place, index, _AT_ONCE])):
            self._take(chunks)
            self._taken_early.update(chunk["entry_id"] for chunk in chunks)
            place, index = chunks[-1]["place"], chunks[-1]["index"]

    def _take(self, chunks: Iterable[Row]) -> None:
        for chunk in chunks:
            ids, first = bytes(chunk["row_ids"]), chunk["index"] * CHUNK_ROWS
            # Ids and hashes that are not as many are told of by `audit.batches`; here, their rows have no commitment.
            for index, row_hash in zip(range(len(ids) // _ID_BYTES), split_hashes(chunk["row_hashes"]), strict=False):
                row_id = ids[index * _ID_BYTES : (index + 1) * _ID_BYTES]
                if self._after < row_id <= self._until:
                    self.of_row[row_id] = Commitment(row_hash, chunk["entry_id"], first + index)
