"""One leaf for a whole batch of rows, such as all that a sync wrote; each row can be proved to be in it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audit.batches import CHUNK_ROWS
from apps.audit.merkle import leaf_hash, root_of_leaves
from apps.audit.models import AuditBatchChunk
from apps.audit.services.recording import insertion, new_entry, require_scope
from apps.core.actor import Actor
from apps.core.db.statements import insert, run_in_one_trip

# A row's id as text, and its canonical bytes.
BatchRow = tuple[str, bytes]


def record_batch(
    *,
    action: str,
    actor: Actor,
    target_type: str,
    target_id: UUID | str,
    now: datetime,
    rows: Sequence[BatchRow],
    summary: Mapping[str, Any],
) -> None:
    """Write one leaf for a whole batch: it commits to the RFC 9162 Merkle root of `rows` and their count.

    `rows` stand in an order that can be reproduced; the bytes of each say which row it is, and no id comes twice.
    `summary` stands in `changes` beside `batch: {count, merkle_root}`. Needs the write scope of the actor's tenant: the
    installation's own log has no batches.

    Raises:
        RuntimeError: another scope is open; a programming error.
    """
    require_scope(action, actor)
    if actor.tenant_id is None:
        raise RuntimeError(f"{action} is a batch of no tenant")
    chunks = list(_chunks(rows))
    root = root_of_leaves(bytes(chunk.root_hash) for chunk in chunks)
    entry = new_entry(
        action=action,
        actor=actor,
        target_type=target_type,
        target_id=target_id,
        now=now,
        changes={**summary, "batch": {"count": len(rows), "merkle_root": root.hex()}},
    )
    for chunk in chunks:
        chunk.tenant_id, chunk.entry_id = actor.tenant_id, entry.id
    run_in_one_trip([insertion(entry), *map(insert, chunks)])


def _chunks(rows: Sequence[BatchRow]) -> Iterator[AuditBatchChunk]:
    for index, first in enumerate(range(0, len(rows), CHUNK_ROWS)):
        part = rows[first : first + CHUNK_ROWS]
        hashes = [leaf_hash(row) for _id, row in part]
        yield AuditBatchChunk(
            index=index,
            row_ids=bytes.fromhex("".join([row_id for row_id, _row in part]).replace("-", "")),
            row_hashes=b"".join(hashes),
            root_hash=root_of_leaves(hashes),
        )
