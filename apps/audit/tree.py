"""Reading the stored tree of a log: what a tenant's tree consists of stands in entries and tiles, nowhere else.

The log of `tenant_id` None is the installation's. Every function reads in the open scope.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import Q

from apps.audit.merkle import EMPTY_ROOT, Node, Range, nodes_of, peaks_of, root_of_leaves, root_of_peaks
from apps.audit.models import AuditEntry, AuditTile

TILE_HEIGHT = 8
TILE_HASHES = 1 << TILE_HEIGHT
HASH_BYTES = 32

# A row of hashes of one level: (level, first, end).
Row = tuple[int, int, int]


class TreeDamaged(Exception):
    """Entries or tiles that the tree needs are missing."""


def count_at(level: int, size: int) -> int:
    """Return how many hashes a level has in a tree of `size` leaves: those of complete tiles of the level below."""
    return size >> TILE_HEIGHT * level


def read_root(tenant_id: UUID | None, size: int) -> bytes:
    """Return the root over the first `size` leaves; it reads at most 255 hashes a level.

    Raises:
        TreeDamaged: see the class.
    """
    rows = [_tail(level, size) for level in range(_levels(size))]
    hashes = read_rows(tenant_id, rows)
    return root_of_peaks([peak for row in reversed(rows) for peak in peaks_of(hashes[row])]) if size else EMPTY_ROOT


def read_ranges(tenant_id: UUID | None, size: int, spans: Collection[Range]) -> list[bytes]:
    """Return the root of each range of leaves in a tree of `size` leaves; it reads a tile or a tail a node and level.

    Raises:
        TreeDamaged: see the class.
    """
    hashes = _read_nodes(tenant_id, size, {node for span in spans for node in nodes_of(span)})
    return [root_of_peaks([hashes[node] for node in nodes_of(span)]) for span in spans]


def read_rows(tenant_id: UUID | None, rows: Collection[Row]) -> dict[Row, list[bytes]]:
    """Return rows of hashes, from the entries for level 0 and from the roots of the tiles below for others.

    Raises:
        TreeDamaged: see the class.
    """
    found: dict[Row, list[bytes]] = {row: [] for row in rows}
    leaves = [row for row in rows if row[0] == 0 and row[1] < row[2]]
    for row in leaves:
        entries = AuditEntry.objects.filter(tenant_id=tenant_id, sequence__gt=row[1], sequence__lte=row[2])
        found[row] = [bytes(leaf) for leaf in entries.order_by("sequence").values_list("leaf_hash", flat=True)]
    above = [row for row in rows if row[0] > 0 and row[1] < row[2]]
    if above:
        wanted = Q()
        for level, first, end in above:
            wanted |= Q(level=level - 1, index__gte=first, index__lt=end)
        tiles = AuditTile.objects.filter(wanted, tenant_id=tenant_id).order_by("level", "index")
        for level, index, root in tiles.values_list("level", "index", "root_hash"):
            for row in above:
                if row[0] == level + 1 and row[1] <= index < row[2]:
                    found[row].append(bytes(root))
    for (level, first, end), hashes in found.items():
        if len(hashes) != end - first:
            raise TreeDamaged(f"level {level} has {len(hashes)} of the hashes {first} to {end - 1}")
    return found


def split_hashes(hashes: bytes | memoryview) -> list[bytes]:
    """Return the hashes that a tile holds."""
    data = bytes(hashes)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def _levels(size: int) -> int:
    """Return how many levels a tree of `size` leaves has."""
    levels = 0
    while count_at(levels, size):
        levels += 1
    return levels


def _tail(level: int, size: int) -> Row:
    """Return the hashes of a level that are not in a complete tile of it."""
    count = count_at(level, size)
    return (level, count >> TILE_HEIGHT << TILE_HEIGHT, count)


def _read_nodes(tenant_id: UUID | None, size: int, nodes: Iterable[Node]) -> dict[Node, bytes]:
    by_place: dict[tuple[int, int], list[Node]] = defaultdict(list)
    for height, index in nodes:
        level, within = divmod(height, TILE_HEIGHT)
        by_place[level, index >> TILE_HEIGHT - within].append((height, index))
    contents = _read_places(tenant_id, size, by_place)
    found = {}
    for place, wanted in by_place.items():
        for height, index in wanted:
            width = 1 << height % TILE_HEIGHT
            first = index * width % TILE_HASHES
            found[height, index] = root_of_leaves(contents[place][first : first + width])
    return found


def _read_places(
    tenant_id: UUID | None, size: int, places: Collection[tuple[int, int]]
) -> dict[tuple[int, int], list[bytes]]:
    """Return the hashes of the tiles at (level, index), as far as they go in a tree of `size` leaves."""
    whole = [place for place in places if (place[1] + 1) * TILE_HASHES <= count_at(place[0], size)]
    found: dict[tuple[int, int], list[bytes]] = {}
    if whole:
        wanted = Q()
        for level, index in whole:
            wanted |= Q(level=level, index=index)
        tiles = AuditTile.objects.filter(wanted, tenant_id=tenant_id)
        for level, index, hashes in tiles.values_list("level", "index", "hashes"):
            found[level, index] = split_hashes(hashes)
    rows = {
        (level, index): (level, index * TILE_HASHES, count_at(level, size))
        for level, index in places
        if (level, index) not in whole
    }
    tails = read_rows(tenant_id, list(rows.values()))
    found |= {place: tails[row] for place, row in rows.items()}
    missing = set(places) - set(found)
    if missing:
        raise TreeDamaged(f"the tiles {sorted(missing)} are missing")
    return found
