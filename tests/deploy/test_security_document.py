"""docs/security.md names tests as its evidence: each of them exists, and the long ones are marked so."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_database

TESTS = Path(__file__).resolve().parents[1]
DOCUMENT = TESTS.parent / "docs" / "security.md"
CITED = re.findall(r"(† ?)?`((?:\w+/)+\w+\.py)::(test_\w+)`", DOCUMENT.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("long", "file", "test"), sorted(set(CITED)), ids=lambda part: part or None)
def test_what_is_cited_is_there(long: str, file: str, test: str) -> None:
    source = (TESTS / file).read_text(encoding="utf-8")
    assert f"def {test}(" in source
    proof = "pytest.mark.prove" in source.split("\ndef ", 1)[0] or f"@pytest.mark.prove\ndef {test}(" in source
    assert proof == bool(long)


def test_there_are_citations() -> None:
    assert len(CITED) > 40
