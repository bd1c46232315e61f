"""Whatever a superuser does to a log shows against a checkpoint that was held before: by the code that users run.

A forgery is really made, by SQL on the tables, and undone by a rollback. Between, each end of what it touched is
exported by the code that exports, in an aligned window of 16 entries, hashed by finops_verify.py's functions, and
followed up to the root of the checkpoint, with the path that an honest client has from an export that verified.

Looking at a window alone loses nothing: the root is a function of the roots of all windows (RFC 9162, 2.1), and with
the other ones as they were it is another one exactly if the window's is. What stands anywhere else can only add to
that. It is not believed, either: of every hundredth forgery the whole log goes through the whole of `export`, and one
of each kind is committed, exported and told as users do it, by the program and by the walks of `manage.py verify`.
"""

import io
import logging
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import accumulate
from pathlib import Path

import pytest
from django.db import transaction

from apps.audit import finops_verify
from apps.audit.exporting import as_lines
from apps.audit.merkle import inclusion_path, node_hash, nodes_of, root_of_leaves, root_of_peaks
from apps.audit.models import AuditCheckpoint, AuditEntry
from apps.audit.notes import Checkpoint
from apps.audit.opening import open_many
from apps.audit.selectors import numbered_from, public_keys
from apps.audit.services import CHECKPOINT_INTERVAL, sequence_entries, sign_due_checkpoints
from apps.audit.walking import walk_tree
from apps.core.actor import Actor
from apps.core.ids import new_id
from apps.core.verification import Finding
from tests import databases
from tests.audit import forging
from tests.audit.forging import FORGERIES, Log, Touched
from tests.factories.audit import NOW, make_entries
from tests.tampering import found, raw_tables

WINDOW = 16
WHOLE_EVERY = 100  # Coprime to the number of kinds, so that all of them are among these.
TABLES = ("audit_entry", "audit_tile", "audit_checkpoint", "audit_counter")


class Held:
    """What an honest client kept of a log before anything happened to it: checkpoint, keys, and a verified export."""

    def __init__(self, log: Log, folder: Path) -> None:
        self.log, self.folder = log, folder
        row = AuditCheckpoint.objects.get(tenant_id=log.tenant_id, size=log.size)
        self.root = bytes(row.root_hash)
        (folder / "held").write_text(row.note)
        (folder / "key").write_text("\n".join(str(key.verifier) for key in public_keys(log.tenant_id)))
        self.export()
        assert self.verify_whole() == 0
        kept = (folder / "log").read_bytes()
        self.ends = [0, *accumulate(len(line) for line in kept.splitlines(keepends=True))]
        (folder / "kept").write_bytes(kept)
        leaves = finops_verify.hash_lines(kept, 1)
        self.levels = [[root_of_leaves(leaves[first : first + WINDOW]) for first in range(0, log.size, WINDOW)]]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append([node_hash(*pair) for pair in zip(below[::2], below[1::2], strict=False)])

    def export(self) -> None:
        """Write the whole log, as it is now."""
        with (self.folder / "log").open("wb") as file:
            file.writelines(_lines(self.log, 1, self.log.size))

    def export_again(self, touched: Touched) -> None:
        """Write the whole log: what was touched as it is now, the rest as it was kept."""
        kept, end = memoryview((self.folder / "kept").read_bytes()), 0
        with (self.folder / "log").open("wb") as file:
            for first, last in touched:
                file.write(kept[self.ends[end] : self.ends[first - 1]])
                file.writelines(_lines(self.log, first, last))
                end = last
            file.write(kept[self.ends[end] :])

    def verify_whole(self) -> int:
        """Run the program on the last export; return its exit code."""
        command = [sys.executable, "-I", "-S", finops_verify.__file__, "export", "log", "--checkpoint", "held"]
        done = subprocess.run(
            [*command, "--key", "key"], cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert (done.returncode == 0) == done.stdout.endswith("VERIFIED\n"), done.stderr
        return done.returncode

    def is_whole(self, window: int) -> bool:
        """Tell whether a window of entries leads to the root of the checkpoint, by an export of them alone."""
        first = window * WINDOW + 1
        lines = b"".join(_lines(self.log, first, min(first + WINDOW - 1, self.log.size)))
        try:
            leaves = finops_verify.hash_lines(lines, first)
        except (finops_verify.Forged, ValueError):
            return False
        last = len(self.levels[0]) - 1
        _, root = finops_verify.climb(window, last, root_of_leaves(leaves), self._path(window))
        return root == self.root

    def _path(self, window: int) -> list[bytes]:
        spans = inclusion_path(window, len(self.levels[0]))
        return [root_of_peaks([self.levels[height][index] for height, index in nodes_of(span)]) for span in spans]


def _lines(log: Log, first: int, last: int) -> Iterator[bytes]:
    """Export what the log has from one number to another."""
    entries = numbered_from(AuditEntry.objects.filter(tenant_id=log.tenant_id), first=first)
    return as_lines(open_many(entries.filter(sequence__lte=last).iterator(chunk_size=1_000)))


@pytest.fixture
def hold(acme, database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[int], Held]:
    """Fill acme's log up to a size, have it signed, and go on as the owner with triggers off."""
    caplog.set_level(logging.CRITICAL, "apps.audit.opening")  # says of each entry that its seal does not open any more

    def fill(size: int) -> Held:
        databases.log_in("web", database)
        ada = Actor(kind="user", label="ada", ip="192.0.2.7", user_id=new_id(), tenant_id=acme.id)
        make_entries(acme.id, size // 2)
        make_entries(acme.id, size - size // 2, actor=ada)
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
    rng, told = random.Random(seed), Counter[str]()
    for number in range(count):
        if number % 1_000 == 0:
            print(f"FINOPS_TAMPER_SEED={seed}: {number:,} of {count:,}", flush=True)  # noqa: T201  (to run it again)
        forgery = FORGERIES[number % len(FORGERIES)]
        with undone():
            touched = forgery(held.log, rng)
            windows = {(place - 1) // WINDOW for stretch in touched for place in stretch}
            assert not any(map(held.is_whole, windows)), (seed, number, forgery.__name__, touched)
            if number % WHOLE_EVERY == 0:
                held.export_again(touched)
                with pytest.raises((finops_verify.Forged, ValueError)):
                    _verify_export(held)
                told["by all of the program, too"] += 1
        told[forgery.__name__] += 1
    kinds = ", ".join(f"{name} {times:,}" for name, times in told.items())
    print(f"FINOPS_TAMPER_SEED={seed}: {count:,} forgeries, undetected 0: {kinds}", flush=True)  # noqa: T201
    held.export()
    _verify_export(held)
    count = len(held.levels[0])
    assert all(map(held.is_whole, rng.sample(range(count), min(200, count)))), "all of them were undone"


def _verify_export(held: Held) -> None:
    """Do what the program does with an export, without starting a Python for it."""
    keys = finops_verify.read_keys(held.folder / "key")
    with redirect_stdout(io.StringIO()):
        checkpoint = finops_verify.read_checkpoint(held.folder / "held", keys)
        finops_verify.verify_export([held.folder / "log"], [checkpoint])


def _assert_told_in_full(held: Held, forgery: forging.Forgery, database: str) -> None:
    """Commit a forgery, ask the program and the walks of `manage.py verify`, and put everything back."""
    with raw_tables() as keeper:
        for table in TABLES:
            keeper.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
        with transaction.atomic():
            forgery(held.log, random.Random(7))
        held.export()
        assert held.verify_whole() in (1, 2), forgery.__name__
        databases.log_in("worker", database)
        steps = walk_tree(held.log.tenant_id, held=[Checkpoint("held", held.log.size, held.root)])
        assert any(isinstance(step, Finding) for step in steps) or found("audit.leaves"), forgery.__name__
        for table in TABLES:
            forged = f"SELECT id FROM (TABLE {table} EXCEPT TABLE kept_{table})"
            keeper.execute(f"DELETE FROM {table} WHERE id IN ({forged})")
            keeper.execute(f"INSERT INTO {table} (TABLE kept_{table} EXCEPT TABLE {table})")
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
    for forgery in FORGERIES:  # first: each forgery that is undone leaves dead rows, which whole tables are read past
        _assert_told_in_full(held, forgery, database)
    _assert_all_show(held, 10_000)
    held.export()
    assert held.verify_whole() == 0
