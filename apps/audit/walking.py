"""Walking a log from its first leaf to its last: entries against tiles, tiles against each other, roots against notes.

Leaf hashes are taken as they are stored: whether an entry is what its hash commits to is a check of its own
(`audit.leaves`), and together they prove that the content of the log is what was signed.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from uuid import UUID

from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from apps.audit.merkle import Frontier, root_of_leaves
from apps.audit.models import AuditCheckpoint, AuditCounter, AuditEntry, AuditTile
from apps.audit.notes import Checkpoint, NoteRefused, VerifierKey, open_note
from apps.audit.selectors import keys_known
from apps.audit.tree import TILE_HASHES, count_at, split_hashes
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Seen

_TILES = 8  # of 256 leaves: what one snapshot reads
CHANGED = _("It was changed past the platform. Compare it with a backup and the tenant's export; find out who did it.")
_KEPT = _("Compare it with the checkpoints that the tenant and the witness have kept; find out who changed it.")


def walk_tree(tenant_id: UUID | None, *, held: Collection[Checkpoint] = ()) -> Iterator[Seen | Finding]:
    """Verify the tree of a log, and that it leads to its own checkpoints and to those that somebody has `held`.

    Reads in snapshots, outside of any scope; it may go on while the log grows. Only the first checkpoint that the log
    does not lead to is told: no later one can be right.
    """
    walk = _Walk(tenant_id, held)
    for first in range(0, walk.size, _TILES * TILE_HASHES):
        end = min(first + _TILES * TILE_HASHES, walk.size)
        with snapshot_scope():
            findings = list(walk.read(first, end))
        yield Seen(end - first)
        yield from findings
    with snapshot_scope():
        findings = list(walk.finish())
    yield from findings


class _Walk:
    """One walk along a log: how far it is, and what it has to meet on its way."""

    def __init__(self, tenant_id: UUID | None, held: Collection[Checkpoint]) -> None:
        self.tenant_id = tenant_id
        self.frontier = Frontier()
        self.held = sorted(held, key=lambda checkpoint: checkpoint.size)
        self.is_lost = False
        with snapshot_scope():
            counter = AuditCounter.objects.filter(tenant_id=tenant_id).first()
            self.size = counter.last_sequence if counter else 0
            signed = AuditCheckpoint.objects.filter(tenant_id=tenant_id).aggregate(size=Max("size"))
            self.covered = (counter.checkpoint_size if counter else 0, signed["size"] or 0)
            self.keys = keys_known()

    def read(self, first: int, end: int) -> Iterator[Finding]:
        """Look at the leaves from `first` up to `end`, their tiles and the checkpoints on the way."""
        tiles = self._tiles(0, first // TILE_HASHES, end // TILE_HASHES)
        signed = AuditCheckpoint.objects.filter(tenant_id=self.tenant_id, size__gt=first, size__lte=end)
        notes = list(signed.order_by("size"))
        for note in notes:
            yield from self._judge_note(note)
        heads = [(note.size, bytes(note.root_hash), "audit_checkpoint", str(note.pk)) for note in notes]
        heads += [(c.size, c.root_hash, "held checkpoint", c.origin) for c in self.held if first < c.size <= end]
        yield from self._grow(self._leaves(first, end, tiles), sorted(heads))
        yield from self._judge_tiles(0, range(first // TILE_HASHES, end // TILE_HASHES), tiles)

    def finish(self) -> Iterator[Finding]:
        """Look at the tiles above the leaves, and for what the log would have to be longer."""
        level = 1
        while count_at(level + 1, self.size):
            tiles = self._tiles(level, 0, count_at(level + 1, self.size))
            below = self._tiles(level - 1, 0, count_at(level, self.size), hashes=False)
            yield from self._judge_tiles(level, range(count_at(level + 1, self.size)), tiles, below)
            level += 1
        covered, signed = self.covered
        if signed != covered:
            problem, found = _("The checkpoints do not end where the counter says."), f"the last is of {signed}"
            yield Finding(
                "audit_counter", "checkpoint_size", problem, f"a checkpoint of {covered} entries", found, _KEPT
            )
        beyond = AuditCheckpoint.objects.filter(tenant_id=self.tenant_id, size__gt=self.size)
        last = AuditEntry.objects.filter(tenant_id=self.tenant_id, sequence__isnull=False).order_by("-sequence").first()
        entries = (last.sequence or 0) if last else 0
        # What has come since the walk began is not missing.
        for size, row in beyond.filter(size__gt=entries).values_list("size", "id"):
            yield self._truncated("audit_checkpoint", str(row), size, entries)
        for checkpoint in self.held:
            if checkpoint.size > max(self.size, entries):
                yield self._truncated("held checkpoint", checkpoint.origin, checkpoint.size, entries)

    def _leaves(self, first: int, end: int, tiles: dict[int, AuditTile]) -> Iterator[tuple[bytes, Finding | None]]:
        """Yield each leaf, as its tile has it if there is one, and what is wrong with its entry."""
        found = AuditEntry.objects.filter(tenant_id=self.tenant_id, sequence__gt=first, sequence__lte=end)
        entries = {row[0]: row[1:] for row in found.values_list("sequence", "id", "leaf_hash")}
        for index in range(first, end):
            tile = tiles.get(index // TILE_HASHES)
            at = index % TILE_HASHES * 32
            kept = bytes(tile.hashes[at : at + 32]) if tile else b""
            row = entries.get(index + 1)
            yield self._judge_leaf(index, row and str(row[0]), bytes(row[1]) if row else b"", kept)

    def _judge_leaf(self, index: int, entry: str | None, leaf: bytes, kept: bytes) -> tuple[bytes, Finding | None]:
        if entry is None:
            problem, name = _("An entry is missing."), str(index + 1)
            return kept, Finding("audit_entry", name, problem, f"leaf hash {kept.hex()}", "no row", CHANGED)
        if kept and leaf != kept:
            problem = _("An entry is not the one that the tree was built with.")
            expected, found = f"leaf hash {kept.hex()}", f"leaf hash {leaf.hex()}"
            return kept, Finding("audit_entry", entry, problem, expected, found, CHANGED)
        return leaf, None

    def _grow(
        self, leaves: Iterable[tuple[bytes, Finding | None]], heads: Sequence[tuple[int, bytes, str, str]]
    ) -> Iterator[Finding]:
        waiting = list(heads)
        for leaf, finding in leaves:
            if finding:
                yield finding
            self.frontier.add(leaf)
            while waiting and waiting[0][0] == self.frontier.size:
                yield from self._judge_root(*waiting.pop(0))

    def _judge_root(self, size: int, root: bytes, table: str, row: str) -> Iterator[Finding]:
        if self.is_lost or self.frontier.root == root:
            return
        self.is_lost = True
        problem = _("The log does not lead to the root that was signed: something up to here is not what it was.")
        yield Finding(table, row, problem, f"root {root.hex()} of {size}", f"root {self.frontier.root.hex()}", _KEPT)

    def _judge_note(self, row: AuditCheckpoint) -> Iterator[Finding]:
        """Tell whether a note is signed, and says what the row does."""
        try:
            said = Checkpoint.from_text(open_note(row.note, [VerifierKey(row.origin, key) for key in self.keys]))
        except NoteRefused as error:
            problem = _("A checkpoint is not signed by a key that is known.")
            yield Finding("audit_checkpoint", str(row.pk), problem, "a signed note", str(error), _KEPT)
            return
        # The host in front may have been another one.
        in_note = (said.origin.rpartition("/")[2], said.size, said.root_hash.hex())
        in_row = (str(self.tenant_id or "installation"), row.size, bytes(row.root_hash).hex())
        if in_note != in_row:
            problem = _("A checkpoint's row says something else than its note.")
            expected, found = (" ".join(map(str, said)) for said in (in_row, in_note))
            yield Finding("audit_checkpoint", str(row.pk), problem, expected, found, _KEPT)

    def _tiles(self, level: int, first: int, end: int, *, hashes: bool = True) -> dict[int, AuditTile]:
        tiles = AuditTile.objects.filter(tenant_id=self.tenant_id, level=level, index__gte=first, index__lt=end)
        return {tile.index: tile for tile in (tiles if hashes else tiles.defer("hashes"))}

    def _judge_tiles(
        self,
        level: int,
        indexes: Iterable[int],
        tiles: dict[int, AuditTile],
        below: dict[int, AuditTile] | None = None,
    ) -> Iterator[Finding]:
        """Tell whether tiles are there, have the roots that they should, and hold the roots of those below."""
        for index in indexes:
            tile = tiles.get(index)
            if tile is None:
                problem, name = _("A tile of the tree is missing."), f"{level}/{index}"
                yield Finding("audit_tile", name, problem, "a row", "no row", CHANGED)
                continue
            held = split_hashes(tile.hashes)
            children = range(index * TILE_HASHES, (index + 1) * TILE_HASHES)
            roots = [bytes(below[child].root_hash) if child in below else b"" for child in children] if below else held
            if root_of_leaves(held) != bytes(tile.root_hash) or held != roots:
                problem = _("A tile is not what its root and the tiles below commit to.")
                found = f"root {bytes(tile.root_hash).hex()}"
                expected = f"root {root_of_leaves(roots).hex()}"
                yield Finding("audit_tile", str(tile.pk), problem, expected, found, CHANGED)

    def _truncated(self, table: str, row: str, size: int, entries: int) -> Finding:
        problem = _("The log is shorter than it was: entries at its end are missing.")
        return Finding(table, row, problem, f"{size} entries", f"{entries} entries", _KEPT)
