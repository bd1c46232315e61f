"""Merkle trees of RFC 9162, section 2.1: pure functions over bytes.

A node is named by (height, index): it covers the leaves from index << height up to (index + 1) << height. A range of
leaves is (first, end); those that proofs speak of begin where a subtree as large as they are could begin.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()

Range = tuple[int, int]
Node = tuple[int, int]


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """What the root of a growing tree needs: its perfect subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        height, node = 0, leaf
        while self._peaks and self._peaks[-1][0] == height:
            node = node_hash(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))
        self.size += 1

    @property
    def peaks(self) -> list[bytes]:
        """The roots of the perfect subtrees."""
        return [node for _height, node in self._peaks]

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        return root_of_peaks(self.peaks)


def peaks_of(hashes: Iterable[bytes]) -> list[bytes]:
    """Return the roots of the perfect subtrees that neighbouring hashes of one height make up, the largest first."""
    frontier = Frontier()
    for one in hashes:
        frontier.add(one)
    return frontier.peaks


def root_of_peaks(peaks: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees that stand side by side, the largest first; of none, of nothing."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of_leaves(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes in their order; of none, the hash of nothing."""
    return root_of_peaks(peaks_of(leaves))


def root_of_rows(rows: Iterable[bytes]) -> bytes:
    """Return the root over rows of data, each hashed to its leaf."""
    return root_of_leaves(map(leaf_hash, rows))


def nodes_of(span: Range) -> list[Node]:
    """Return the perfect subtrees that a range consists of, the largest first."""
    first, end = span
    nodes = []
    while first < end:
        height = (end - first).bit_length() - 1
        nodes.append((height, first >> height))
        first += 1 << height
    return nodes


def inclusion_path(index: int, size: int) -> list[Range]:
    """Return the ranges whose roots prove the leaf at `index` in the tree of `size` leaves (RFC 9162, 2.1.3.1)."""
    path, (first, end) = [], (0, size)
    while end - first > 1:
        middle = first + _left_size(end - first)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    return path[::-1]


def consistency_path(older: int, newer: int) -> list[Range]:
    """Return the ranges whose roots prove that the newer tree begins with the older one (RFC 9162, 2.1.4.1).

    Nothing has to be proved of an empty tree, nor of two of one size.
    """
    if older in (0, newer):
        return []
    path, (first, end) = [], (0, newer)
    while end != older:
        middle = first + _left_size(end - first)
        if older <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    return [(first, end), *path[::-1]] if first else path[::-1]


def includes(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether an inclusion proof holds (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or len(leaf) != len(EMPTY_ROOT):
        return False
    computed, last = leaf, size - 1
    for sibling in path:
        if not last:
            return False
        if index & 1 or index == last:
            computed = node_hash(sibling, computed)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and computed == root


def is_consistent(*, older: int, older_root: bytes, newer: int, newer_root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether a consistency proof holds (RFC 9162, 2.1.4.2)."""
    if not 0 <= older <= newer:
        return False
    if older in (0, newer):
        return not path and older_root == (newer_root if older == newer else EMPTY_ROOT)
    # A perfect older tree is itself the first node, which the proof then leaves out.
    proof = [older_root, *path] if older & (older - 1) == 0 else list(path)
    if not proof:
        return False
    index, last = older - 1, newer - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = proof[0]
    for sibling in proof[1:]:
        if not last:
            return False
        if index & 1 or index == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and old == older_root and new == newer_root


def _left_size(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
