"""Reading batches of rows that one leaf commits to: where a row stands in its batch, and the path to the batch's root.

A chunk has a power of two of rows, so that it is a subtree of the batch's tree (RFC 9162): the root over the roots of
the chunks is the root over the rows. Every function reads in the open scope.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Func, IntegerField, Value

from apps.audit.merkle import Range, inclusion_path, root_of_leaves
from apps.audit.models import AuditBatchChunk
from apps.audit.tree import TreeDamaged, split_hashes

CHUNK_ROWS = 1024
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: in which chunk, at which place of it, and what the rows of the chunk hash to."""

    chunk: int
    row: int
    hashes: list[bytes]

    @property
    def index(self) -> int:
        """The row's index in its batch."""
        return self.chunk * CHUNK_ROWS + self.row


def find_row(tenant_id: UUID, entry_id: UUID, row_id: UUID) -> Place | None:
    """Return where a row stands in the batch of an entry; None, if it has no such row. It reads the batch's ids."""
    position = Func(
        Value(row_id.bytes), F("row_ids"), function="position", arg_joiner=" IN ", output_field=IntegerField()
    )
    chunks = AuditBatchChunk.objects.filter(tenant_id=tenant_id, entry_id=entry_id).alias(position=position)
    for chunk in chunks.filter(position__gt=0).order_by("index"):
        # The bytes may also be the end of one id and the beginning of the next.
        ids = bytes(chunk.row_ids)
        row = next((at // _ID_BYTES for at in range(0, len(ids), _ID_BYTES) if ids.startswith(row_id.bytes, at)), None)
        if row is not None:
            return Place(chunk.index, row, split_hashes(chunk.row_hashes))
    return None


def read_path(tenant_id: UUID, entry_id: UUID, place: Place) -> list[bytes]:
    """Return the hashes that lead from a row to the root of its batch.

    Raises:
        TreeDamaged: chunks of the batch are missing.
    """
    chunks = AuditBatchChunk.objects.filter(tenant_id=tenant_id, entry_id=entry_id).order_by("index")
    roots = dict(chunks.values_list("index", "root_hash"))
    if list(roots) != list(range(len(roots))):
        raise TreeDamaged(f"the batch of {entry_id} has the chunks {list(roots)}")
    return [
        *_path(place.row, place.hashes),
        *_path(place.chunk, [bytes(root) for root in roots.values()]),
    ]


def _path(index: int, hashes: list[bytes]) -> list[bytes]:
    spans: list[Range] = inclusion_path(index, len(hashes))
    return [root_of_leaves(hashes[first:end]) for first, end in spans]
