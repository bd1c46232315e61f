"""Tree hashes and proofs against the reference tree of RFC 6962 (the hashes of RFC 9162), and its definition."""

import base64
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


def _vectors(realdata: Path, kind: str) -> dict[str, dict[str, Any]]:
    files = (realdata / "crypto_vectors" / "merkle_rfc6962").glob(f"{kind}__*.json")
    return {file.stem: json.loads(file.read_text()) for file in files}


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def test_inclusion_proofs_are_judged_as_the_vectors_say(realdata: Path) -> None:
    vectors = _vectors(realdata, "inclusion")
    judged = {
        name: merkle.includes(
            leaf=_bytes(vector["leafHash"]),
            index=vector["leafIdx"],
            size=vector["treeSize"],
            path=[_bytes(step) for step in vector["proof"] or ()],
            root=_bytes(vector["root"]),
        )
        for name, vector in vectors.items()
    }
    assert judged == {name: not vector["wantErr"] for name, vector in vectors.items()}
    assert (len(judged), sum(judged.values())) == (50, 4)


def test_consistency_proofs_are_judged_as_the_vectors_say(realdata: Path) -> None:
    vectors = _vectors(realdata, "consistency")
    judged = {
        name: merkle.is_consistent(
            older=vector["size1"],
            older_root=_bytes(vector["root1"]),
            newer=vector["size2"],
            newer_root=_bytes(vector["root2"]),
            path=[_bytes(step) for step in vector["proof"] or ()],
        )
        for name, vector in vectors.items()
    }
    assert judged == {name: not vector["wantErr"] for name, vector in vectors.items()}
    assert (len(judged), sum(judged.values())) == (42, 3)


LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(70)]


def _root(span: merkle.Range) -> bytes:
    return merkle.root_of_leaves(LEAVES[slice(*span)])


@given(st.data())
def test_every_leaf_of_every_tree_can_be_proved_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    path = [_root(span) for span in merkle.inclusion_path(index, size)]
    proof: dict[str, Any] = {"index": index, "size": size, "path": path, "root": _root((0, size))}
    assert len(path) <= (size - 1).bit_length()
    assert merkle.includes(leaf=LEAVES[index], **proof)
    assert not merkle.includes(leaf=LEAVES[index - 1], **proof)


@given(st.data())
def test_every_tree_can_be_proved_to_begin_every_larger_one(data: st.DataObject) -> None:
    newer = data.draw(st.integers(0, len(LEAVES)))
    older = data.draw(st.integers(0, newer))
    path = [_root(span) for span in merkle.consistency_path(older, newer)]
    proof: dict[str, Any] = {"older": older, "newer": newer, "newer_root": _root((0, newer)), "path": path}
    assert merkle.is_consistent(older_root=_root((0, older)), **proof)
    assert not merkle.is_consistent(older_root=_root((1, 3)), **proof)


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_range_is_its_perfect_subtrees(first: int, length: int) -> None:
    # A range of a proof begins where a subtree as large as the range could begin.
    aligned = first << length.bit_length()
    nodes = merkle.nodes_of((aligned, aligned + length))
    covered = [leaf for height, index in nodes for leaf in range(index << height, (index + 1) << height)]
    assert covered == list(range(aligned, aligned + length))
