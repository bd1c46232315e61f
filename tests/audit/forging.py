"""What a superuser can do to an audit log, past every trigger: naively, or thinking of hashes, tiles and signatures.

Each forgery works in the open transaction of Django's connection, which is the owner's with triggers off, and returns
the stretches of sequences that it was at: the first and the last entry of each are no longer what they were.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from apps.audit import tree
from apps.audit.leaf import compute_leaf_hash
from apps.audit.merkle import root_of_leaves
from apps.audit.models import AuditCheckpoint, AuditEntry, AuditTile
from apps.audit.notes import Checkpoint, SigningKey, sign
from apps.audit.selectors import origin_of
from apps.core.ids import new_id
from apps.core.keyrings import keys_of

WINDOW = 300  # entries that are moved along, or written anew, at once
DEEP = 0.01  # of the forks begin anywhere in the log
EDITS = (
    """changes = '{"status": [null, "filled"]}'""",
    "action = 'order.rejected'",
    "at = at + interval '1 microsecond'",
    "target_id = target_id || 'x'",
    "target_type = 'account'",
    """actor = actor || '{"kind": "staff"}'""",
    "request_id = request_id || 'x'",
    "traceparent = 'x'",
    "schema_version = schema_version + 1",
    "id = gen_random_uuid()",
    f"""personal = personal || '{{"changes": {{"key": "{UUID(int=7)}", "members": []}}}}'""",
)


@dataclass(frozen=True, slots=True)
class Log:
    """A tenant's log of `size` entries, all of them under its latest checkpoint."""

    tenant_id: UUID
    size: int


Touched = tuple[tuple[int, int], ...]
Forgery = Callable[[Log, random.Random], Touched]


def run(sql: str, *params: Any) -> int:
    """Run one statement; return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


def edit(log: Log, rng: random.Random) -> Touched:
    """Change the content of an entry, and nothing else."""
    place = rng.randint(1, log.size)
    _edit(log, place, rng)
    return ((place, place),)


def edit_hash(log: Log, rng: random.Random) -> Touched:
    """Change the hash of an entry, and nothing else."""
    place = rng.randint(1, log.size)
    run(f"UPDATE audit_entry SET leaf_hash = sha256('{rng.random()}') {_AT}", log.tenant_id, place)
    return ((place, place),)


def edit_consistently(log: Log, rng: random.Random) -> Touched:
    """Change the content of an entry, its hash and all of the tree above it."""
    place = rng.randint(1, log.size)
    _edit(log, place, rng)
    _rehash(log, place, place)
    _rebuild_tiles(log, place, place)
    return ((place, place),)


def delete(log: Log, rng: random.Random) -> Touched:
    """Take an entry out and leave the gap."""
    place = rng.randint(1, log.size)
    run(f"DELETE FROM audit_entry {_AT}", log.tenant_id, place)
    return ((place, place),)


def delete_and_close(log: Log, rng: random.Random) -> Touched:
    """Take an entry out, move up those behind it, and put a forged one where a gap would show."""
    place = rng.randint(1, log.size - 1)
    end = min(log.size, place + rng.randint(1, WINDOW))
    spare = _copy(log, end)
    run(f"DELETE FROM audit_entry {_AT}", log.tenant_id, place)
    _move(log, place + 1, end, -1)
    _put(log, spare, end)
    return _settle(log, place, end, rng)


def insert(log: Log, rng: random.Random) -> Touched:
    """Put a forged entry in, move down those behind it, and take one out where they would be too many."""
    place = rng.randint(1, log.size - 1)
    end = min(log.size, place + rng.randint(1, WINDOW))
    spare = _copy(log, place)
    run(f"DELETE FROM audit_entry {_AT}", log.tenant_id, end)
    _move(log, place, end - 1, 1)
    _put(log, spare, place)
    return _settle(log, place, end, rng)


def swap(log: Log, rng: random.Random) -> Touched:
    """Let two entries change places."""
    first, second = sorted(rng.sample(range(1, log.size + 1), 2))
    for old, new in ((first, -1), (second, first), (-1, second)):
        run(f"UPDATE audit_entry SET sequence = {new} {_AT}", log.tenant_id, old)
    if rng.random() < 0.5:
        _rebuild_tiles(log, first, first)
        _rebuild_tiles(log, second, second)
    return (first, first), (second, second)


def truncate(log: Log, rng: random.Random) -> Touched:
    """Take the end away, with the tiles and checkpoints that know of it, and have the counter say so."""
    left = log.size - int(log.size ** rng.random())  # short ends and long ones, up to all but a part
    run("DELETE FROM audit_entry WHERE tenant_id = %s AND sequence > %s", log.tenant_id, left)
    run("UPDATE audit_counter SET last_sequence = %s WHERE tenant_id = %s", left, log.tenant_id)
    for level in range(3):
        run(
            "DELETE FROM audit_tile WHERE tenant_id = %s AND level = %s AND index >= %s",
            log.tenant_id, level, tree.count_at(level + 1, left),
        )  # fmt: skip
    rng.choice((_sign_anew, _drop_checkpoint))(log, left)
    return ((left + 1, log.size),)


def fork(log: Log, rng: random.Random) -> Touched:
    """Write all from an entry on anew, tree and all; and perhaps sign it with the platform's own key."""
    longest = log.size if rng.random() < DEEP else min(WINDOW, log.size)
    first = log.size + 1 - rng.randint(1, longest)
    run(f"UPDATE audit_entry SET {rng.choice(EDITS)} WHERE tenant_id = %s AND sequence >= %s", log.tenant_id, first)
    _rehash(log, first, log.size)
    _rebuild_tiles(log, first, log.size)
    rng.choice((_sign_anew, _drop_checkpoint, _keep_checkpoint))(log, log.size)
    return ((first, log.size),)


FORGERIES: tuple[Forgery, ...] = (
    edit, edit_hash, edit_consistently, delete, delete_and_close, insert, swap, truncate, fork
)  # fmt: skip


def _sign_anew(log: Log, size: int) -> None:
    """Put a checkpoint over the log as it is now into the place of the true one, signed with the stolen key."""
    origin, root = origin_of(log.tenant_id), tree.read_root(log.tenant_id, size)
    keys = [SigningKey(origin, seed) for seed in keys_of("AUDIT_KEYS").values()]
    note = sign(Checkpoint(origin, size, root).text, keys)
    forged = AuditCheckpoint.objects.filter(tenant_id=log.tenant_id, size=log.size)
    assert forged.update(size=size, root_hash=root, note=note) == 1


def _drop_checkpoint(log: Log, _size: int) -> None:
    assert run("DELETE FROM audit_checkpoint WHERE tenant_id = %s AND size = %s", log.tenant_id, log.size) == 1


def _keep_checkpoint(_log: Log, _size: int) -> None:
    """Leave the true checkpoint, which tells of the forgery by itself."""


_AT = "WHERE tenant_id = %s AND sequence = %s"


def _edit(log: Log, place: int, rng: random.Random) -> None:
    assert run(f"UPDATE audit_entry SET {rng.choice(EDITS)} {_AT}", log.tenant_id, place) == 1


def _copy(log: Log, place: int) -> AuditEntry:
    """Return a forged entry, made from the one at a place."""
    entry = AuditEntry.objects.get(tenant_id=log.tenant_id, sequence=place)
    entry.id, entry.pk = new_id(), new_id()
    return entry


def _put(log: Log, entry: AuditEntry, place: int) -> None:
    entry.sequence, entry.position = place, -place
    entry.leaf_hash = compute_leaf_hash(entry)
    entry.save(force_insert=True)


def _move(log: Log, first: int, last: int, by: int) -> None:
    """Renumber a stretch; in two steps, since no two may have one number in between."""
    if first <= last:
        within = "WHERE tenant_id = %s AND sequence BETWEEN %s AND %s"
        run(f"UPDATE audit_entry SET sequence = -sequence {within}", log.tenant_id, first, last)
        run(f"UPDATE audit_entry SET sequence = {by} - sequence {within}", log.tenant_id, -last, -first)


def _settle(log: Log, first: int, last: int, rng: random.Random) -> Touched:
    if rng.random() < 0.5:
        _rebuild_tiles(log, first, last)
    return ((first, last),)


def _rehash(log: Log, first: int, last: int) -> None:
    """Give the entries of a stretch the leaf hashes of what they hold now."""
    entries = AuditEntry.objects.filter(tenant_id=log.tenant_id, sequence__range=(first, last))
    hashes = {entry.id: compute_leaf_hash(entry) for entry in entries.iterator()}
    changed = run(
        "UPDATE audit_entry SET leaf_hash = forged.leaf_hash FROM unnest(%s::uuid[], %s::bytea[]) "
        "AS forged (id, leaf_hash) WHERE audit_entry.id = forged.id",
        [*hashes], [*hashes.values()],
    )  # fmt: skip
    assert changed == last - first + 1


def _rebuild_tiles(log: Log, first: int, last: int) -> None:
    """Make the tiles over a stretch those of its entries as they are now, up to the top."""
    low, high, level = first - 1, last - 1, 0
    while tree.count_at(level + 1, log.size):
        low, high = low // tree.TILE_HASHES, high // tree.TILE_HASHES
        for index in range(low, min(high + 1, tree.count_at(level + 1, log.size))):
            row = (level, index * tree.TILE_HASHES, (index + 1) * tree.TILE_HASHES)
            hashes = tree.read_rows(log.tenant_id, [row])[row]
            tiles = AuditTile.objects.filter(tenant_id=log.tenant_id, level=level, index=index)
            assert tiles.update(hashes=b"".join(hashes), root_hash=root_of_leaves(hashes)) == 1
        level += 1
