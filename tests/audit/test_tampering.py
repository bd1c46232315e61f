"""Whatever a superuser does to a log shows against a checkpoint that was held before: by the code that users run.

A forgery is undone by a savepoint. Between, the touched part of the log is exported by the code that exports, hashed by
finops_verify.py's functions, and held to the root of its 256 leaves: these roots are themselves computed from an export
that verified against the checkpoint, so that one of them is another exactly if the root of the log is. Some forgeries
of each kind are told by the whole program and by the walk of `manage.py verify` as well.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from apps.audit import finops_verify, tree
from apps.audit.exporting import as_lines
from apps.audit.models import AuditCheckpoint, AuditEntry
from apps.audit.notes import Checkpoint
from apps.audit.opening import open_many
from apps.audit.selectors import numbered_from, public_keys
from apps.audit.services import CHECKPOINT_INTERVAL, sequence_entries, sign_due_checkpoints
from apps.audit.walking import walk_tree
from apps.core.verification import Finding
from tests import databases
from tests.audit import forging
from tests.audit.forging import FORGERIES, Log
from tests.factories.audit import NOW, make_entries
from tests.tampering import raw_tables

TILE = tree.TILE_HASHES
TABLES = ("audit_entry", "audit_tile", "audit_checkpoint", "audit_counter")


class Held:
    """What an honest client kept of a log before anything happened to it: checkpoint, keys, the roots of 256 leaves."""

    def __init__(self, log: Log, folder: Path) -> None:
        self.log, self.folder = log, folder
        row = AuditCheckpoint.objects.get(tenant_id=log.tenant_id, size=log.size)
        self.root = bytes(row.root_hash)
        (folder / "held").write_text(row.note)
        (folder / "key").write_text("\n".join(str(key.verifier) for key in public_keys(log.tenant_id)))
        self.export()
        assert self.verify_whole() == 0
        leaves = finops_verify.hash_lines((folder / "log").read_bytes(), 1)
        assert _root(leaves) == self.root
        self.blocks = [_root(leaves[first : first + TILE]) for first in range(0, log.size, TILE)]

    def export(self) -> None:
        """Write the whole log, as it is now."""
        with (self.folder / "log").open("wb") as file:
            file.writelines(as_lines(open_many(_entries(self.log).iterator(chunk_size=1_000))))

    def verify_whole(self) -> int:
        """Run the program on the last export; return its exit code."""
        command = [sys.executable, "-I", "-S", finops_verify.__file__, "export", "log", "--checkpoint", "held"]
        done = subprocess.run(
            [*command, "--key", "key"], cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert (done.returncode == 0) == done.stdout.endswith("VERIFIED\n"), done.stderr
        return done.returncode

    def is_whole(self, block: int) -> bool:
        """Tell whether 256 entries are those that the checkpoint is over, by an export of them alone."""
        first = block * TILE + 1
        lines = b"".join(as_lines(open_many(_entries(self.log, first)[:TILE])))
        try:
            leaves = finops_verify.hash_lines(lines, first)[: self.log.size - first + 1]
        except (finops_verify.Forged, ValueError):
            return False
        return _root(leaves) == self.blocks[block]


def _entries(log: Log, first: int = 1) -> Any:
    entries = AuditEntry.objects.filter(tenant_id=log.tenant_id)
    return numbered_from(entries, first=first)


def _root(leaves: list[bytes]) -> bytes:
    peaks: list[tuple[int, bytes]] = []
    finops_verify.grow(peaks, leaves)
    return finops_verify.root_of(peaks)


@pytest.fixture
def hold(acme, database: str, tmp_path: Path) -> Callable[[int], Held]:
    """Fill acme's log up to a size, have it signed, and go on as the owner with triggers off."""

    def fill(size: int) -> Held:
        databases.log_in("web", database)
        make_entries(acme.id, size)
        databases.log_in("worker", database)
        while sequence_entries(now=NOW):
            pass
        sign_due_checkpoints(now=NOW + CHECKPOINT_INTERVAL)
        _be_superuser(database)
        size = AuditEntry.objects.filter(tenant_id=acme.id).count()
        return Held(Log(acme.id, size), tmp_path)

    return fill


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _assert_all_show(held: Held, count: int) -> None:
    seed = int(os.environ.get("FINOPS_TAMPER_SEED", random.SystemRandom().randrange(2**32)))
    rng = random.Random(seed)
    for number in range(count):
        if number % 1_000 == 0:
            print(f"FINOPS_TAMPER_SEED={seed}: {number:,} of {count:,}", flush=True)  # noqa: T201  (to run it again)
        forgery = FORGERIES[number % len(FORGERIES)]
        with undone():
            first, last = forgery(held.log, rng)
            blocks = {(first - 1) // TILE, (last - 1) // TILE}
            assert not all(map(held.is_whole, blocks)), (seed, number, forgery.__name__, first, last)
    assert all(map(held.is_whole, range(len(held.blocks))))


def _assert_told_in_full(held: Held, forgery: forging.Forgery, database: str) -> None:
    """Commit a forgery, ask the program and the walk of the tree, and put everything back."""
    with raw_tables() as keeper:
        for table in TABLES:
            keeper.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
        forgery(held.log, random.Random(7))
        held.export()
        assert held.verify_whole() in (1, 2), forgery.__name__
        databases.log_in("worker", database)
        steps = list(walk_tree(held.log.tenant_id, held=[Checkpoint("held", held.log.size, held.root)]))
        assert any(isinstance(step, Finding) for step in steps), forgery.__name__
        for table in TABLES:
            keeper.execute(f"DELETE FROM {table}")
            keeper.execute(f"INSERT INTO {table} TABLE kept_{table}")
    _be_superuser(database)


def _be_superuser(database: str) -> None:
    databases.log_in("owner", database)
    forging.run("SET session_replication_role = replica")


@pytest.mark.commits
def test_forgeries_show_against_a_checkpoint_that_was_held(hold, database: str) -> None:
    held = hold(270)
    _assert_all_show(held, len(FORGERIES))
    _assert_told_in_full(held, forging.fork, database)
    held.export()
    assert held.verify_whole() == 0


@pytest.mark.prove
@pytest.mark.commits
def test_ten_thousand_forgeries_of_a_log_of_a_hundred_thousand_entries_show(hold, database: str) -> None:
    held = hold(100_000)
    _assert_all_show(held, 10_000)
    for forgery in FORGERIES[2:]:
        _assert_told_in_full(held, forgery, database)
    held.export()
    assert held.verify_whole() == 0
