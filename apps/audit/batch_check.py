"""Walking the batches of a log: whether the rows that are kept of each are those that its leaf commits to.

That an entry is what its own leaf hash commits to is a check of its own (`audit.leaves`).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from apps.audit.batches import CHUNK_ROWS
from apps.audit.merkle import Frontier, root_of_leaves
from apps.audit.models import AuditBatchChunk, AuditEntry
from apps.audit.tree import split_hashes
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Seen, Subject

_CHUNKS = 64  # of 1,024 rows: what one snapshot reads
_BATCHES = 200  # likewise, of one chunk each
_REMEDY = _(
    "It was changed past the platform. Compare it with a backup; rows of this batch cannot be proved until then."
)
_TABLE = "audit_batch_chunk"


def walk_batches(subject: Subject) -> Iterator[Seen | Finding]:
    """Verify every batch of a tenant's log; reads in snapshots, outside of any scope."""
    tenant_id = subject.tenant
    of_batches = AuditEntry.objects.filter(tenant_id=tenant_id, changes__batch__has_key="merkle_root")
    its_entry = of_batches.filter(id=OuterRef("entry_id"))
    with snapshot_scope():
        strays = list(
            AuditBatchChunk.objects.filter(~Exists(its_entry), tenant_id=tenant_id)
            .order_by("id")
            .values_list("id", flat=True)
        )
    after, is_more = UUID(int=0), True
    while is_more:
        with snapshot_scope():
            following = of_batches.filter(id__gt=after).order_by("id").values_list("id", "changes__batch")
            entries = list(following[:_BATCHES])
            small = _small_batches(tenant_id, entries)
        for entry_id, said in entries:
            parts = [small[entry_id]] if entry_id in small else _parts(tenant_id, entry_id)
            yield from _walk_batch(entry_id, said, parts)
        is_more = len(entries) == _BATCHES
        after = entries[-1][0] if entries else after
    for stray in strays:
        yield Finding(_TABLE, str(stray), _("It belongs to no batch."), "an entry with a batch", "none", _REMEDY)


def _small_batches(
    tenant_id: UUID, entries: Iterable[tuple[UUID, Mapping[str, Any]]]
) -> Mapping[UUID, list[AuditBatchChunk]]:
    """Return what is kept of those batches that say to be of one chunk, such as most are; in the open snapshot."""
    small: dict[UUID, list[AuditBatchChunk]] = {
        entry_id: [] for entry_id, said in entries if said.get("count") in range(CHUNK_ROWS + 1)
    }
    for chunk in AuditBatchChunk.objects.filter(tenant_id=tenant_id, entry_id__in=list(small)).order_by("index"):
        small[chunk.entry_id].append(chunk)
    return small


def _parts(tenant_id: UUID, entry_id: UUID) -> Iterator[list[AuditBatchChunk]]:
    """Return the chunks of a batch, part by part; each is a snapshot of its own."""
    after, is_more = -1, True
    while is_more:
        with snapshot_scope():
            chunks = AuditBatchChunk.objects.filter(tenant_id=tenant_id, entry_id=entry_id, index__gt=after)
            part = list(chunks.order_by("index")[:_CHUNKS])
        yield part
        is_more = len(part) == _CHUNKS
        after = part[-1].index if part else after


def _walk_batch(
    entry_id: UUID, said: Mapping[str, Any], parts: Iterable[Iterable[AuditBatchChunk]]
) -> Iterator[Seen | Finding]:
    """Fold the rows of a batch up to the root that its leaf commits to."""
    roots, rows = Frontier(), 0
    for chunk in chain.from_iterable(parts):
        hashes = split_hashes(chunk.row_hashes)
        yield from _judge(chunk, rows, root_of_leaves(hashes))
        roots.add(bytes(chunk.root_hash))
        rows += len(hashes)
        yield Seen(len(hashes))
    expected, found = f"root {said['merkle_root']} of {said['count']}", f"root {roots.root.hex()} of {rows}"
    if expected != found:
        problem = _("The rows that are kept of a batch are not those that its leaf commits to.")
        yield Finding("audit_entry", str(entry_id), problem, expected, found, _REMEDY)


def _judge(chunk: AuditBatchChunk, before: int, folded: bytes) -> Iterator[Finding]:
    """Tell whether a chunk stands behind so many rows, and has the root of its own."""
    first, kept = chunk.index * CHUNK_ROWS, bytes(chunk.root_hash)
    if first != before:
        problem = _("Rows of a batch are missing, or do not stand where they should.")
        yield Finding(_TABLE, str(chunk.id), problem, f"behind {first} rows", f"behind {before}", _REMEDY)
    if folded != kept:
        problem = _("Rows of a batch are not what their root is over.")
        expected, found = f"root {kept.hex()}", f"root {folded.hex()}"
        yield Finding(_TABLE, str(chunk.id), problem, expected, found, _REMEDY)
