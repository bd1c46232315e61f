"""What is missing from the audit log, or was changed in it, its tree or its checkpoints, is found and named."""

import pytest

from apps.audit.models import AuditBatchChunk, AuditCheckpoint, AuditEntry, AuditTile
from apps.audit.notes import Checkpoint, SigningKey, sign
from apps.audit.services import CHECKPOINT_INTERVAL, sequence_entries, sign_due_checkpoints
from apps.audit.walking import walk_tree
from apps.core.ids import new_id
from apps.core.keyrings import keys_of
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding
from tests.factories.audit import NOW, make_batch, make_entries, make_entry, make_rows
from tests.tampering import found, looked_at, tamper, verdicts

pytestmark = pytest.mark.worker_login


@pytest.fixture
def entries(acme) -> list[AuditEntry]:
    """Acme's numbered entries, with which the tenant itself was made."""
    for _ in range(3):
        make_entry(acme.id, changes={"note": [None, "noted"]})
    while sequence_entries(now=NOW):
        pass
    with snapshot_scope():
        return list(AuditEntry.objects.filter(tenant_id=acme.id).order_by("sequence"))


def test_an_untouched_log_is_proved(entries) -> None:
    with snapshot_scope():
        everything = AuditEntry.objects.count()
    assert looked_at("audit.sequence") == looked_at("audit.leaves") == everything >= 3


def test_a_deleted_entry_is_missed(entries) -> None:
    tamper("DELETE FROM audit_entry WHERE id = %s", entries[1].id)
    assert found("audit.sequence", "audit.leaves") == [("audit_entry", "2", "a row each", "no row")]


@pytest.mark.parametrize(
    "change",
    ["actor = '{}'", "at = at - interval '1 second'", 'changes = \'{"note": [null, "Noted"]}\'', "action = 'a.b'"],
)
def test_an_altered_entry_is_not_what_its_leaf_commits_to(entries, change: str) -> None:
    tamper(f"UPDATE audit_entry SET {change} WHERE id = %s", entries[-1].id)
    [(table, row, expected, stored)] = found("audit.sequence", "audit.leaves")
    assert (table, row, stored) == (
        "audit_entry",
        str(entries[-1].id),
        f"leaf hash {bytes(entries[-1].leaf_hash).hex()}",
    )
    assert expected != stored


def test_the_installations_own_log_is_looked_at_with_everything_alone(entries) -> None:
    tamper("UPDATE audit_entry SET tenant_id = NULL, sequence = NULL WHERE id = %s", entries[-1].id)
    assert [result.found for result in verdicts("audit.leaves", tenant="acme")] == [0]
    assert [result.found for result in verdicts("audit.leaves")] == [1]


@pytest.fixture
def grown(acme) -> list[AuditEntry]:
    """Acme's entries, some more than two tiles, under two checkpoints."""
    make_entries(acme.id, 600)
    while sequence_entries(now=NOW):
        pass
    sign_due_checkpoints(now=NOW + CHECKPOINT_INTERVAL)
    with snapshot_scope():
        return list(AuditEntry.objects.filter(tenant_id=acme.id).order_by("sequence"))


def _heads(entries: list[AuditEntry]) -> list[Checkpoint]:
    with snapshot_scope():
        rows = AuditCheckpoint.objects.filter(tenant_id=entries[0].tenant_id).order_by("size")
        return [Checkpoint("held", row.size, bytes(row.root_hash)) for row in rows]


def _first_root_that_is_wrong(entries: list[AuditEntry]) -> tuple[str, str]:
    """Return table and row of what the log does not lead to, as the walk finds it."""
    [(table, row, _expected, _found)] = [
        finding for finding in found("audit.tree") if finding[2].startswith("root") and finding[0] != "audit_tile"
    ]
    return table, row


def test_an_untouched_tree_is_proved(grown) -> None:
    with snapshot_scope():
        numbered = AuditEntry.objects.count()
        assert [head.size for head in _heads_in_scope(grown)] == [500, len(grown)]
        assert AuditTile.objects.count() == 2
    assert looked_at("audit.tree") == numbered


def _heads_in_scope(entries: list[AuditEntry]) -> list[AuditCheckpoint]:
    return list(AuditCheckpoint.objects.filter(tenant_id=entries[0].tenant_id).order_by("size"))


@pytest.mark.parametrize("place", [0, 100, 511])
def test_an_entry_that_is_not_the_trees_is_named(grown, place: int) -> None:
    entry = grown[place]
    tamper("UPDATE audit_entry SET leaf_hash = sha256('forged') WHERE id = %s", entry.id)
    [(table, row, expected, _stored)] = found("audit.tree")
    assert (table, row, expected) == ("audit_entry", str(entry.id), f"leaf hash {bytes(entry.leaf_hash).hex()}")


def test_what_no_tile_holds_yet_is_told_by_the_checkpoint(grown) -> None:
    tamper("UPDATE audit_entry SET leaf_hash = sha256('forged') WHERE id = %s", grown[-1].id)
    with snapshot_scope():
        last = _heads_in_scope(grown)[-1]
    assert _first_root_that_is_wrong(grown) == ("audit_checkpoint", str(last.id))


def test_entries_that_changed_places_are_both_named(grown) -> None:
    tamper("UPDATE audit_entry SET sequence = 700 WHERE id = %s", grown[3].id)
    tamper("UPDATE audit_entry SET sequence = 4 WHERE id = %s", grown[7].id)
    tamper("UPDATE audit_entry SET sequence = 8 WHERE id = %s", grown[3].id)
    assert [row for _table, row, _expected, _found in found("audit.tree")] == [str(grown[7].id), str(grown[3].id)]


def test_an_entry_that_is_missing_is_named_by_its_place(grown) -> None:
    tamper("DELETE FROM audit_entry WHERE id = %s", grown[9].id)
    leaf = f"leaf hash {bytes(grown[9].leaf_hash).hex()}"
    assert found("audit.tree") == [("audit_entry", "10", leaf, "no row")]


def test_a_log_that_was_cut_with_its_counter_is_shorter_than_its_checkpoint(grown) -> None:
    tamper("DELETE FROM audit_entry WHERE tenant_id = %s AND sequence > 550", grown[0].tenant_id)
    tamper("UPDATE audit_counter SET last_sequence = 550 WHERE tenant_id = %s", grown[0].tenant_id)
    with snapshot_scope():
        last = _heads_in_scope(grown)[-1]
    assert found("audit.tree") == [("audit_checkpoint", str(last.id), f"{len(grown)} entries", "550 entries")]


def test_a_tile_that_was_exchanged_or_taken_is_named(grown) -> None:
    with snapshot_scope():
        tile = AuditTile.objects.get(index=1)
    tamper("UPDATE audit_tile SET root_hash = sha256('forged') WHERE id = %s", tile.id)
    [(table, row, expected, _stored)] = found("audit.tree")
    assert (table, row, expected) == ("audit_tile", str(tile.id), f"root {bytes(tile.root_hash).hex()}")
    tamper("DELETE FROM audit_tile WHERE id = %s", tile.id)
    assert found("audit.tree") == [("audit_tile", "0/1", "a row", "no row")]


def test_a_checkpoint_that_somebody_else_signed_is_named(grown) -> None:
    with snapshot_scope():
        last = _heads_in_scope(grown)[-1]
    text = last.note.rpartition("\n\n")[0] + "\n"
    forged = sign(text, [SigningKey(text.partition("\n")[0], b"z" * 32)])
    tamper("UPDATE audit_checkpoint SET note = %s WHERE id = %s", forged, last.id)
    assert found("audit.tree") == [
        ("audit_checkpoint", str(last.id), "a signed note", "no key that is known has signed the note")
    ]


def test_a_checkpoint_that_was_taken_is_missed(grown) -> None:
    with snapshot_scope():
        first, last = _heads_in_scope(grown)
    tamper("DELETE FROM audit_checkpoint WHERE id = %s", last.id)
    assert found("audit.tree") == [
        ("audit_counter", "checkpoint_size", f"a checkpoint of {last.size} entries", f"the last is of {first.size}")
    ]


def test_a_note_of_another_log_stands_for_no_checkpoint_of_this_one(grown) -> None:
    with snapshot_scope():
        last = _heads_in_scope(grown)[-1]
    text = last.note.rpartition("\n\n")[0] + "\n"
    _name, seed = next(iter(keys_of("AUDIT_KEYS").items()))
    elsewhere = text.replace(str(grown[0].tenant_id), str(new_id()))
    note = sign(elsewhere, [SigningKey(elsewhere.partition("\n")[0], seed)])
    tamper("UPDATE audit_checkpoint SET note = %s WHERE id = %s", note, last.id)
    assert [row for _table, row, _expected, _found in found("audit.tree")] == [str(last.id)]


def test_a_history_written_anew_and_signed_is_told_by_a_checkpoint_that_was_held(grown) -> None:
    held = _heads(grown)
    assert not [step for step in walk_tree(grown[0].tenant_id, held=held) if isinstance(step, Finding)]
    other = [Checkpoint("held", held[0].size, b"r" * 32), Checkpoint("held", 9_999, b"r" * 32)]
    findings = [step for step in walk_tree(grown[0].tenant_id, held=other) if isinstance(step, Finding)]
    assert [(finding.table, finding.expected) for finding in findings] == [
        ("held checkpoint", f"root {'72' * 32} of 500"),
        ("held checkpoint", "9999 entries"),
    ]


@pytest.fixture
def batch(acme) -> AuditEntry:
    """A batch of acme of three chunks; one of one row and one of none stand beside it."""
    make_batch(acme.id, make_rows(1))
    make_batch(acme.id, [])
    return make_batch(acme.id, make_rows(2050))


def _chunk(entry: AuditEntry, index: int) -> AuditBatchChunk:
    with snapshot_scope():
        return AuditBatchChunk.objects.get(entry_id=entry.id, index=index)


def test_untouched_batches_are_proved(batch) -> None:
    assert looked_at("audit.batches") == 2051


def test_rows_of_a_batch_that_were_changed_are_named(batch) -> None:
    chunk = _chunk(batch, 1)
    tamper("UPDATE audit_batch_chunk SET row_hashes = set_byte(row_hashes, 40, 7) WHERE id = %s", chunk.id)
    [(table, row, expected, stored)] = found("audit.batches")
    assert (table, row, expected) == ("audit_batch_chunk", str(chunk.id), f"root {bytes(chunk.root_hash).hex()}")
    tamper("UPDATE audit_batch_chunk SET root_hash = decode(%s, 'hex') WHERE id = %s", stored[5:], chunk.id)
    [(table, row, expected, _stored)] = found("audit.batches")
    assert (table, row) == ("audit_entry", str(batch.id))
    assert expected == f"root {batch.changes['batch']['merkle_root']} of 2050"


def test_rows_of_a_batch_that_are_missing_or_moved_are_named(batch) -> None:
    chunk, last = _chunk(batch, 1), _chunk(batch, 2)
    tamper("UPDATE audit_batch_chunk SET index = 3 WHERE id = %s", last.id)
    assert found("audit.batches") == [("audit_batch_chunk", str(last.id), "behind 3072 rows", "behind 2048")]
    tamper("DELETE FROM audit_batch_chunk WHERE id = %s", last.id)
    assert [(table, row) for table, row, *_ in found("audit.batches")] == [("audit_entry", str(batch.id))]
    tamper("UPDATE audit_batch_chunk SET entry_id = %s WHERE id = %s", new_id(), chunk.id)
    assert [(table, row) for table, row, *_ in found("audit.batches")] == [
        ("audit_entry", str(batch.id)),
        ("audit_batch_chunk", str(chunk.id)),
    ]
