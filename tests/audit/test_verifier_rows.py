"""finops_verify.py row: a row of a batch, up to the root that the batch's entry commits to."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from apps.audit import finops_verify, merkle
from apps.audit.leaf import leaf_content
from apps.audit.services import new_entry
from apps.core.actor import system_actor

pytestmark = pytest.mark.no_database

ACTOR = system_actor("tests", tenant_id=UUID("0198c5a0-0000-7000-8000-00000000000a"))
ROWS = [merkle.leaf_hash(f'["row.created","{number}"]'.encode()) for number in range(21)]
OTHERS = [ROWS[1], *ROWS[1:]]
Judge = Callable[..., str]


def _entry(**changes: Any) -> dict[str, Any]:
    """An entry as the API shows it."""
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    entry = new_entry(
        action="accounts.synced", actor=ACTOR, target_type="sync_run", target_id="7", now=now, changes=changes
    )
    shown = {"sequence": 1, "leaf_hash": bytes(entry.leaf_hash).hex(), "salts": {}}
    return {**leaf_content(entry), **shown}


def _batch(rows: list[bytes]) -> dict[str, Any]:
    return {"count": len(rows), "merkle_root": merkle.root_of_leaves(rows).hex()}


ENTRY, ANOTHER = _entry(batch=_batch(ROWS)), _entry(note=[None, 1])


def _proof(index: int, rows: list[bytes] = ROWS) -> dict[str, Any]:
    path = [merkle.root_of_leaves(rows[first:end]).hex() for first, end in merkle.inclusion_path(index, len(rows))]
    place = {"entry_id": ENTRY["id"], "row_id": str(UUID(int=index)), "index": index, "count": len(rows)}
    return {**place, "row_hash": rows[index].hex(), "path": path, "batch_root": merkle.root_of_leaves(rows).hex()}


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    """Verify a row, perhaps with a file of entries; return what is said, raise what it finds."""

    def call(proof: dict[str, Any], *answers: dict[str, Any]) -> str:
        files = [tmp_path / "row", tmp_path / "entries"][: 1 + len(answers)]
        for file, answer in zip(files, (proof, *answers), strict=True):
            file.write_text(json.dumps(answer))
        finops_verify.verify("row", files, [])
        return capsys.readouterr().out

    return call


def test_a_row_is_proven_to_be_in_the_batch_that_an_entry_commits_to(judge: Judge) -> None:
    commits = f"entry {ENTRY['id']} commits to {_batch(ROWS)}\n"
    page = {"data": [ANOTHER, ENTRY], "next_cursor": None}
    for index in range(len(ROWS)):
        assert judge(_proof(index), page) == f"verified: {commits}"
    assert judge(_proof(3), ENTRY) == f"verified: {commits}"
    assert judge(_proof(3)) == f"not proven: {commits}", "the entry's file was not given"


NOT_IN_IT = "row does not lead to its batch_root: the row is NOT in that batch"
TOO_SHORT = "the proof has fewer hashes than its place"
NO_ENTRY, ALTERED = "entries has no entry {id} that commits to ", "entry {id} was ALTERED"


@pytest.mark.parametrize(
    ("proof", "entry", "said"),
    [
        (_proof(12) | {"row_hash": ROWS[13].hex()}, ENTRY, NOT_IN_IT),
        (_proof(12) | {"row_hash": ROWS[13].hex(), "leaf_hash": ROWS[12].hex()}, ENTRY, NOT_IN_IT),
        (_proof(12) | {"index": 11}, ENTRY, NOT_IN_IT),
        (_proof(12) | {"index": 21}, ENTRY, "number 21 is not in a log that ends with number 20"),
        (_proof(12) | {"count": 64}, ENTRY, TOO_SHORT),
        (_proof(12) | {"path": _proof(12)["path"][:-1]}, ENTRY, TOO_SHORT),
        (_proof(12) | {"count": 22}, ENTRY, NO_ENTRY),
        (_proof(12, OTHERS), ENTRY, NO_ENTRY),
        (_proof(12), ANOTHER, NO_ENTRY),
        (_proof(12), {"data": []}, NO_ENTRY),
        (_proof(12), ANOTHER | {"id": ENTRY["id"]}, ALTERED),
        (_proof(12, OTHERS), ENTRY | {"changes": {"batch": _batch(OTHERS)}}, ALTERED),
    ],
)  # fmt: skip
def test_a_row_of_another_batch_or_place_is_told(
    judge: Judge, proof: dict[str, Any], entry: dict[str, Any], said: str
) -> None:
    with pytest.raises(finops_verify.Forged) as told:
        judge(proof, entry)
    assert said.format(id=ENTRY["id"]) in str(told.value)
