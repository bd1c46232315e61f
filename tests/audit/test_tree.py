"""The stored tree: tiles and checkpoints grow with the log, and every proof is read from them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from apps.audit import merkle, tree
from apps.audit.models import AuditCheckpoint, AuditEntry, AuditTile, CheckpointKey
from apps.audit.notes import Checkpoint, open_note
from apps.audit.selectors import latest_checkpoint, measure_trees, origin_of, public_keys
from apps.audit.services import CHECKPOINT_INTERVAL, record, sequence_entries, sign_due_checkpoints
from apps.audit.types import Trees
from apps.core.actor import Actor
from apps.core.keyrings import render_keys
from apps.core.scope import staff_scope, system_scope, tenant_scope
from tests import databases
from tests.factories.audit import make_entries, make_entry, run_sequencer

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")

pytestmark = pytest.mark.worker_login


def _leaves(tenant_id: UUID | None) -> list[bytes]:
    entries = AuditEntry.objects.filter(tenant_id=tenant_id, sequence__isnull=False).order_by("sequence")
    return [bytes(leaf) for leaf in entries.values_list("leaf_hash", flat=True)]


def _heads(tenant_id: UUID | None) -> list[Checkpoint]:
    """Return what each checkpoint says, opened with the public keys."""
    keys = [key.verifier for key in public_keys(tenant_id)]
    rows = AuditCheckpoint.objects.filter(tenant_id=tenant_id).order_by("size")
    heads = [Checkpoint.from_text(open_note(row.note, keys)) for row in rows]
    assert [(head.size, head.root_hash) for head in heads] == [(row.size, bytes(row.root_hash)) for row in rows]
    return heads


def _roots(leaves: Sequence[bytes], sizes: Sequence[int]) -> list[tuple[int, bytes]]:
    return [(size, merkle.root_of_leaves(leaves[:size])) for size in sizes]


def test_tiles_are_stored_once_they_are_complete(now: datetime) -> None:
    make_entries(ACME, 700)
    make_entries(GLOBEX, 255)
    for _ in range(2):
        sequence_entries(now=now)
    with system_scope():
        leaves = _leaves(ACME)
        assert len(leaves) == 700
        tiles = list(AuditTile.objects.order_by("index"))
        assert [(tile.tenant_id, tile.level, tile.index) for tile in tiles] == [(ACME, 0, 0), (ACME, 0, 1)]
        for tile in tiles:
            own = leaves[tile.index * 256 : (tile.index + 1) * 256]
            assert bytes(tile.hashes) == b"".join(own)
            assert bytes(tile.root_hash) == merkle.root_of_leaves(own)


def test_a_checkpoint_covers_each_log_at_once_and_a_busy_one_in_intervals(now: datetime) -> None:
    make_entries(ACME, 600)
    make_entry(GLOBEX)
    assert [sequence_entries(now=now) for _ in range(3)] == [501, 100, 0]
    with system_scope():
        assert [head.size for head in _heads(ACME)] == [500]
        assert _heads(GLOBEX) == [Checkpoint(f"testserver/audit/{GLOBEX}", 1, _leaves(GLOBEX)[0])]
    assert sign_due_checkpoints(now=now + CHECKPOINT_INTERVAL / 4) == CHECKPOINT_INTERVAL * 3 / 4
    assert sign_due_checkpoints(now=now + CHECKPOINT_INTERVAL) is None
    assert sign_due_checkpoints(now=now + timedelta(hours=1)) is None
    with system_scope():
        heads = _heads(ACME)
        assert [(head.size, head.root_hash) for head in heads] == _roots(_leaves(ACME), [500, 600])
        assert {head.origin for head in heads} == {f"testserver/audit/{ACME}"}
        assert AuditCheckpoint.objects.filter(tenant_id=ACME).latest("size").signed_at == now + CHECKPOINT_INTERVAL


def test_what_prometheus_reads_of_the_trees(now: datetime) -> None:
    make_entries(ACME, 600)
    make_entry(GLOBEX)
    for _ in range(2):
        sequence_entries(now=now)
    with system_scope():
        assert measure_trees(now=now + timedelta(seconds=3)) == Trees(601, 600, 100, 3.0)
    sign_due_checkpoints(now=now + timedelta(seconds=3))
    with system_scope():
        assert measure_trees(now=now + timedelta(seconds=9)) == Trees(601, 600, 0, 0.0)


def test_the_installation_has_a_tree_of_its_own(now: datetime) -> None:
    databases.log_in("web", connection.settings_dict["NAME"])
    for number in range(300):
        with staff_scope():
            staff = Actor(kind="staff", label="grace")
            record(action="staff.signed_in", actor=staff, target_type="user", target_id=str(number), now=now)
    run_sequencer(now)
    with staff_scope():
        (head,) = _heads(None)
        assert head.origin == "testserver/audit/installation"
        assert [(head.size, head.root_hash)] == _roots(_leaves(None), [300])
        assert AuditTile.objects.get().tenant_id is None
        assert tree.read_ranges(None, 300, [(0, 256)]) == [merkle.root_of_leaves(_leaves(None)[:256])]


def test_every_proof_of_a_tree_of_many_tiles_holds(now: datetime) -> None:
    make_entries(ACME, 1300)
    for number in range(4):
        sequence_entries(now=now + number * CHECKPOINT_INTERVAL)
    seed = Random().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201  (to run it again)
    random = Random(seed)
    with system_scope():
        leaves = _leaves(ACME)
        for _ in range(12):
            size = random.choice([1, 255, 256, 257, 512, 1024, 1300, random.randint(1, 1300)])
            index, older = random.randrange(size), random.randint(0, size)
            root = tree.read_root(ACME, size)
            assert root == merkle.root_of_leaves(leaves[:size])
            path = tree.read_ranges(ACME, size, merkle.inclusion_path(index, size))
            assert merkle.includes(leaf=leaves[index], index=index, size=size, path=path, root=root)
            path = tree.read_ranges(ACME, size, merkle.consistency_path(older, size))
            older_root = merkle.root_of_leaves(leaves[:older])
            proof: dict[str, Any] = {"older": older, "older_root": older_root, "newer": size, "newer_root": root}
            assert merkle.is_consistent(**proof, path=path)


def test_after_a_change_of_keys_old_checkpoints_verify_and_new_ones_carry_both_signatures(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = {"k1": b"1" * 32}, {"k2": b"2" * 32}
    for day, ring in enumerate([old, {**new, **old}, new]):
        monkeypatch.setattr(settings, "AUDIT_KEYS", render_keys(ring))
        make_entry(ACME)
        sequence_entries(now=now + timedelta(days=day))
    with tenant_scope(ACME):
        newest, oldest = public_keys(ACME)
        assert [(newest.key_id, newest.since, newest.until)] == [("k2", now + timedelta(days=1), None)]
        assert [(oldest.key_id, oldest.since, oldest.until)] == [("k1", now, now + timedelta(days=1))]
        assert [head.size for head in _heads(ACME)] == [1, 2, 3]
        notes = list(AuditCheckpoint.objects.order_by("size").values_list("note", flat=True))
        assert [note.count(f"— {origin_of(ACME)} ") for note in notes] == [1, 2, 1]
        assert open_note(notes[1], [oldest.verifier]) == open_note(notes[1], [newest.verifier])


def test_without_a_key_nothing_is_numbered(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    make_entry(ACME)
    monkeypatch.setattr(settings, "AUDIT_KEYS", "")
    assert sequence_entries(now=now) == 0
    with system_scope():
        assert AuditEntry.objects.filter(sequence__isnull=False).count() == 0
        assert AuditCheckpoint.objects.count() == CheckpointKey.objects.count() == 0


def test_a_damaged_tree_grows_no_further_and_stops_no_other(now: datetime, database: str) -> None:
    make_entries(ACME, 300)
    sequence_entries(now=now)
    with databases.as_owner(database) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM audit_entry WHERE tenant_id = %s AND sequence = 280", [ACME])
    make_entry(ACME)
    make_entry(GLOBEX)
    later = now + timedelta(days=1)
    assert sequence_entries(now=later) == 1
    with system_scope():
        assert latest_checkpoint(GLOBEX).size == 1
        assert latest_checkpoint(ACME).size == 300
        with pytest.raises(tree.TreeDamaged, match="level 0 has 43 of the hashes 256 to 299"):
            tree.read_root(ACME, 300)


@pytest.mark.parametrize("table", ["audit_tile", "audit_checkpoint"])
def test_tiles_and_checkpoints_are_never_changed(table: str, now: datetime, database: str) -> None:
    make_entries(ACME, 256)
    sequence_entries(now=now)
    with system_scope():
        before = (list(AuditTile.objects.values()), list(AuditCheckpoint.objects.values()))
    append_only = pytest.raises(psycopg.errors.RestrictViolation, match="is append-only")
    rewrites = [f"UPDATE {table} SET root_hash = decode(repeat('00', 32), 'hex')", f"DELETE FROM {table}"]
    for rewrite in rewrites:
        with system_scope(), pytest.raises(DatabaseError, match="permission denied"):
            _run(rewrite)
        with databases.as_owner(database) as owner, append_only:
            owner.execute(rewrite)
    databases.log_in("web", database)
    for scope in (tenant_scope(ACME), staff_scope()):
        with scope, pytest.raises(DatabaseError, match="permission denied"):
            _run(f"INSERT INTO {table} SELECT * FROM {table}")
    with tenant_scope(GLOBEX):
        assert (AuditTile.objects.count(), AuditCheckpoint.objects.count()) == (0, 0)
    with tenant_scope(ACME):
        assert (list(AuditTile.objects.values()), list(AuditCheckpoint.objects.values())) == before


def _run(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
