"""Tree hashes against the reference tree of RFC 6962 (the hashes of RFC 9162), and against its definition."""

import json
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import merkle

pytestmark = pytest.mark.no_database


@pytest.fixture(scope="module")
def reference(realdata: Path) -> dict[str, Any]:
    path = realdata / "crypto_vectors" / "merkle_rfc6962" / "rfc6962_reference_tree.json"
    tree: dict[str, Any] = json.loads(path.read_text())
    return tree


def test_leaf_hashes_are_those_of_the_reference_tree(reference: dict[str, Any]) -> None:
    inputs = [bytes.fromhex(text) for text in reference["leaf_inputs_hex"]]
    assert [merkle.leaf_hash(data).hex() for data in inputs] == reference["node_hashes_hex"][0]


def test_node_hashes_are_those_of_the_reference_tree(reference: dict[str, Any]) -> None:
    levels = [[bytes.fromhex(text) for text in level] for level in reference["node_hashes_hex"]]
    for below, above in pairwise(levels):
        pairs = zip(below[::2], below[1::2], strict=True)
        assert [merkle.node_hash(left, right) for left, right in pairs] == above


def test_roots_of_every_size_are_those_of_the_reference_tree(reference: dict[str, Any]) -> None:
    inputs = [bytes.fromhex(text) for text in reference["leaf_inputs_hex"]]
    roots = [merkle.root_of_rows(inputs[:size]).hex() for size in range(len(inputs) + 1)]
    assert roots == reference["root_hashes_hex_by_tree_size"]


@pytest.mark.parametrize("name", ["inclusion__single-entry__matching-root-and-leaf", "inclusion__0__happy-path"])
def test_a_tree_of_one_leaf_is_that_leaf(realdata: Path, name: str) -> None:
    vector = json.loads((realdata / "crypto_vectors" / "merkle_rfc6962" / f"{name}.json").read_text())
    assert vector["root"] == vector["leafHash"]
    assert merkle.root_of_leaves([b"leaf"]) == b"leaf"


def _root_by_definition(rows: Sequence[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word by word."""
    if not rows:
        return sha256(b"").digest()
    if len(rows) == 1:
        return sha256(b"\x00" + rows[0]).digest()
    split = 1
    while split * 2 < len(rows):
        split *= 2
    return sha256(b"\x01" + _root_by_definition(rows[:split]) + _root_by_definition(rows[split:])).digest()


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_root_is_the_recursive_definition(rows: list[bytes]) -> None:
    assert merkle.root_of_rows(rows) == _root_by_definition(rows)


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=20, unique=True))
def test_the_order_of_rows_matters(rows: list[bytes]) -> None:
    assert merkle.root_of_rows(rows) != merkle.root_of_rows(rows[::-1])
