"""Growing a log's tree: tiles and checkpoints, written in the transaction that numbers the leaves."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F

from apps.audit import tree
from apps.audit.merkle import root_of_leaves
from apps.audit.models import AuditCheckpoint, AuditCounter, AuditTile, CheckpointKey
from apps.audit.notes import Checkpoint, SigningKey, sign
from apps.audit.selectors import origin_of
from apps.core.db.statements import Statement, insert, run_in_one_trip
from apps.core.keyrings import keys_of
from apps.core.scope import system_scope
from apps.core.sequencing import Numbered

logger = logging.getLogger(__name__)

# A log's checkpoints are at least this far apart. What comes to a log that rests is covered at once; in a busy one a
# leaf waits for at most this long.
CHECKPOINT_INTERVAL = timedelta(seconds=0.5)


def grow(batch: Numbered) -> None:
    """Store the tiles that a batch completes, and sign a checkpoint unless the last one has only just been signed.

    The caller holds the log's counter, so that nobody else grows it.

    Raises:
        TreeDamaged: what the tree needs is missing; the batch must not be numbered.
        ValueError: there is no key to sign with; likewise.
    """
    _store_tiles(batch.tenant_id, batch.first - 1, batch.last)
    counter = AuditCounter.objects.get(tenant_id=batch.tenant_id)
    if counter.checkpoint_at is None or counter.checkpoint_at <= batch.now - CHECKPOINT_INTERVAL:
        _sign_checkpoint(counter, batch.now)


def sign_due_checkpoints(*, now: datetime) -> timedelta | None:
    """Sign a checkpoint of every log that has grown since its last one, and return when to come again.

    That is when the first of the logs that have had theirs only just now may have the next one; None, when there is
    none. A log whose tree is damaged is passed over and reported: its lag shows.
    """
    with system_scope():
        grown = AuditCounter.objects.filter(last_sequence__gt=F("checkpoint_size"))
        logs = list(grown.values_list("tenant_id", "checkpoint_at"))
    waits = []
    for tenant_id, signed_at in logs:
        wait = signed_at + CHECKPOINT_INTERVAL - now if signed_at else timedelta(0)
        if wait > timedelta(0):
            waits.append(wait)
        else:
            _sign_if_grown(tenant_id, now)
    return min(waits, default=None)


def _sign_if_grown(tenant_id: UUID | None, now: datetime) -> None:
    try:
        with system_scope():
            free = AuditCounter.objects.select_for_update(skip_locked=True)
            counter = free.filter(last_sequence__gt=F("checkpoint_size"), tenant_id=tenant_id).first()
            if counter is not None:
                _sign_checkpoint(counter, now)
    except Exception:
        logger.exception("audit.checkpoint_failed", extra={"tenant_id": str(tenant_id)})


def _store_tiles(tenant_id: UUID | None, before: int, after: int) -> None:
    """Store the tiles that are complete in a tree of `after` leaves and were not in one of `before`."""
    level = 0
    while (first := tree.count_at(level + 1, before)) < (end := tree.count_at(level + 1, after)):
        row = (level, first * tree.TILE_HASHES, end * tree.TILE_HASHES)
        hashes = tree.read_rows(tenant_id, [row])[row]
        tiles = []
        for number, index in enumerate(range(first, end)):
            content = hashes[number * tree.TILE_HASHES : (number + 1) * tree.TILE_HASHES]
            tiles.append(
                AuditTile(
                    tenant_id=tenant_id,
                    level=level,
                    index=index,
                    hashes=b"".join(content),
                    root_hash=root_of_leaves(content),
                )
            )
        AuditTile.objects.bulk_create(tiles)
        level += 1


def _sign_checkpoint(counter: AuditCounter, now: datetime) -> None:
    """Sign the head of a log whose counter the caller holds.

    Every key of the ring signs: who knows only the one before can read what comes after it, until it is retired.
    """
    tenant_id, size = counter.tenant_id, counter.last_sequence
    ring, origin = keys_of("AUDIT_KEYS"), origin_of(counter.tenant_id)
    head = Checkpoint(origin, size, tree.read_root(tenant_id, size))
    keys = {key_id: SigningKey(origin, seed) for key_id, seed in ring.items()}
    checkpoint = AuditCheckpoint(
        tenant_id=tenant_id,
        size=size,
        root_hash=head.root_hash,
        note=sign(head.text, list(keys.values())),
        signed_at=now,
    )
    covered = Statement(
        "UPDATE audit_counter SET checkpoint_size = %s, checkpoint_at = %s WHERE id = %s", [size, now, counter.pk]
    )
    publish = [_publish(key_id, key, now) for key_id, key in keys.items()]
    run_in_one_trip([*publish, insert(checkpoint), covered])


def _publish(key_id: str, key: SigningKey, now: datetime) -> Statement:
    public = insert(CheckpointKey(key_id=key_id, public_key=key.verifier.public_key, first_used_at=now))
    return Statement(public.sql + " ON CONFLICT (public_key) DO NOTHING", public.params)
