"""docs/security.md and docs/asvs.md name tests as their evidence: each of them exists, and the long ones are marked so.

docs/asvs.md has each requirement of OWASP ASVS 5.0, levels 1 and 2, once, with its state and its evidence.
"""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_database

TESTS = Path(__file__).resolve().parents[1]
DOCS = TESTS.parent / "docs"
PAGES = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("security.md", "asvs.md")}
CITED = {
    name: re.findall(r"(† ?)?`((?:\w+/)+\w+\.py)::(test_\w+)`", text) for name, text in PAGES.items()
}  # (mark, file, test)
# The level of each requirement, in the order of its section: V1.2.10 is the tenth of V1.2, of level 3.
LEVELS = """
V1.1 22 V1.2 1111122223 V1.3 112222222223 V1.4 222 V1.5 123 V2.1 122 V2.2 112 V2.3 12223 V2.4 23 V3.1 3 V3.2 113
V3.3 12223 V3.4 11222233 V3.5 11122333 V3.6 3 V3.7 22333 V4.1 12233 V4.2 23333 V4.3 22 V4.4 1222 V5.1 2 V5.2 112333
V5.3 113 V5.4 222 V6.1 122 V6.2 111111112222 V6.3 11223333 V6.4 112233 V6.5 22222333 V6.6 2223 V6.7 33 V6.8 2222
V7.1 222 V7.2 1111 V7.3 22 V7.4 11222 V7.5 223 V7.6 22 V8.1 1233 V8.2 1123 V8.3 133 V8.4 23 V9.1 111 V9.2 1222
V10.1 22 V10.2 223 V10.3 22223 V10.4 1111122222233333 V10.5 22222 V10.6 22 V10.7 222 V11.1 2233 V11.2 22233 V11.3 11233
V11.4 1222 V11.5 23 V11.6 23 V11.7 33 V12.1 12233 V12.2 11 V12.3 22223 V13.1 2333 V13.2 222223 V13.3 2233 V13.4 1222233
V14.1 22 V14.2 12223333 V14.3 122 V15.1 12233 V15.2 12233 V15.3 1222222 V15.4 3333 V16.1 2 V16.2 22222 V16.3 2222
V16.4 222 V16.5 2223 V17.1 23 V17.2 22223333 V17.3 22
"""
REQUIRED = {
    f"{section}.{number}": level
    for section, levels in re.findall(r"(V[\d.]+) (\d+)", LEVELS)
    for number, level in enumerate(levels, 1)
    if level in "12"
}
ROW = re.compile(r"^\| (V[\d.]+) \| ([12]) \| ([^|]+) \| (held|not applicable|not held) \| ([^|]+) \|$", re.MULTILINE)
STATES = ("held", "not applicable", "not held")
ROWS = [match.groups() for match in ROW.finditer(PAGES["asvs.md"])]
LINK = re.compile(r"\]\((?!https?:)([\w./-]*)(?:#([\w-]+))?\)")


@cache
def _tests_in(file: str) -> dict[str, bool]:
    """Return {test: whether it runs in `make prove` alone}."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    marks = [ast.unparse(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    all_are = any("pytest.mark.prove" in mark for mark in marks if mark.startswith(("pytest.mark", "[pytest.mark")))
    return {
        node.name: all_are or "pytest.mark.prove" in map(ast.unparse, node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def test_what_is_cited_is_there() -> None:
    cited = sorted({*CITED["security.md"], *CITED["asvs.md"]})
    lost = [f"{long}{file}::{test}" for long, file, test in cited if _tests_in(file).get(test) is not bool(long)]
    assert lost == []


def test_there_are_citations() -> None:
    assert len(CITED["security.md"]) > 40
    assert len(CITED["asvs.md"]) > 150


def test_every_requirement_has_its_row_once() -> None:
    assert len(REQUIRED) == 253
    assert [(requirement, level) for requirement, level, *_rest in ROWS] == list(REQUIRED.items())
    assert PAGES["asvs.md"].count("\n| V") == len(ROWS), "every row can be read"


def test_every_row_has_its_evidence() -> None:
    """What is held is shown by a test or told on a page; all else says why."""
    without = []
    for requirement, _level, _what, state, evidence in ROWS:
        shown = re.search(r"::test_\w+`|\]\(\w+\.md", evidence) is not None
        reasoned = evidence[0].isupper() and len(evidence) > len("Not yet.")
        if not (shown if state == "held" else reasoned):
            without.append(requirement)
    assert without == []


def test_the_summary_counts_the_rows() -> None:
    counted = Counter((row[0].split(".")[0], row[3]) for row in ROWS)
    told = re.findall(r"^\| (V\d+) [^|]+\| (\d+) \| (\d+) \| (\d+) \|", PAGES["security.md"], re.MULTILINE)
    assert {
        (chapter, state): int(count) for chapter, *counts in told for state, count in zip(STATES, counts, strict=True)
    } == {(f"V{chapter}", state): counted[f"V{chapter}", state] for chapter in range(1, 18) for state in STATES}


def test_links_lead_somewhere() -> None:
    lost = []
    for page in ("security.md", "asvs.md", "policies.md"):
        for target, heading in LINK.findall((DOCS / page).read_text(encoding="utf-8")):
            file = DOCS / (target or page)
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", words).lower().replace(" ", "-") for words in headings}
            lost += [(page, target, heading)] if not text or (heading and heading not in slugs) else []
    assert lost == []
