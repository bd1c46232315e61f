"""Merkle tree hashes of RFC 9162, section 2.1: pure functions over bytes."""

import hashlib
from collections.abc import Iterable

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_leaves(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes in their order; of none, the hash of nothing."""
    peaks: list[tuple[int, bytes]] = []  # (height, hash) of the perfect subtrees so far, the highest first
    for leaf in leaves:
        height, node = 0, leaf
        while peaks and peaks[-1][0] == height:
            node = node_hash(peaks.pop()[1], node)
            height += 1
        peaks.append((height, node))
    if not peaks:
        return EMPTY_ROOT
    _, root = peaks.pop()
    while peaks:
        root = node_hash(peaks.pop()[1], root)
    return root


def root_of_rows(rows: Iterable[bytes]) -> bytes:
    """Return the root over rows of data, each hashed to its leaf."""
    return root_of_leaves(map(leaf_hash, rows))
