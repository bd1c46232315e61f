"""What has been given out of a schema stays: an optional field may come, anything else is a new version."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from apps.outbox import catalogue
from apps.outbox.evolution import breaks
from docs import event_types as docs

pytestmark = pytest.mark.no_database

REMEDY = "keep it as it was, or define the type with version=2"


def test_the_catalogue_keeps_what_was_given_out() -> None:
    assert docs.problems(docs.read()) == []


def test_the_page_and_the_schemas_are_the_catalogues() -> None:
    assert docs.PAGE.read_text() == docs.page(), "docs/events.md is stale: run `make event-docs`"
    assert docs.SCHEMAS.read_text() == docs.written(docs.snapshot(docs.read())), (
        "docs/event_schemas.json is stale: run `make event-docs`"
    )


def _without(schema: dict[str, Any], name: str) -> None:
    del schema["properties"][name]
    schema["required"].remove(name)


def _with(schema: dict[str, Any], name: str, *, required: bool) -> None:
    schema["properties"][name] = {"type": "string"}
    schema["required"] += [name] if required else []


BREAKS: list[tuple[Callable[[dict[str, Any]], Any], list[str]]] = [
    (lambda now: _without(now, "side"), ["side is gone"]),
    (lambda now: _with(now, "colour", required=True), ["colour is new and not optional"]),
    (lambda now: now["required"].remove("side"), ["side was required, is optional"]),
    (lambda now: now["properties"]["version"].update(type="string"), ["`type` of version was integer, is string"]),
    (
        lambda now: now["properties"]["side"]["enum"].append("hold"),
        ["`enum` of side was ['buy', 'sell'], is ['buy', 'sell', 'hold']"],
    ),
    (lambda now: now["properties"]["limit_price"].pop("anyOf"), ["limit_price has 0 alternatives instead of 2"]),
    (lambda now: now["properties"]["limit_price"]["anyOf"].pop(), ["limit_price has 1 alternatives instead of 2"]),
    (lambda now: _without(now["properties"]["fill"], "fee"), ["fill.fee is gone"]),
    (lambda now: _without(now["properties"]["denial"]["anyOf"][0], "code"), ["denial.code is gone"]),
    (
        lambda now: now["properties"]["created_at"].pop("format"),
        ["`format` of created_at was date-time, is None"],
    ),
    (lambda now: _with(now, "colour", required=False), []),
    (lambda now: _with(now["properties"]["fill"], "colour", required=False), []),
    (lambda now: now["properties"]["side"].update(description="In other words.", examples=["sell"]), []),
]


@pytest.mark.parametrize(("change", "expected"), BREAKS)
def test_what_breaks_a_receiver(change: Callable[[dict[str, Any]], Any], expected: list[str]) -> None:
    before = dict(catalogue.schema("order.filled"))
    after = copy.deepcopy(before)
    change(after)
    assert list(breaks(before, after)) == expected


def test_what_is_in_a_list_counts() -> None:
    before, after = {"items": {"type": "string"}}, {"items": {"type": "integer"}}
    assert list(breaks(before, after, "tags.")) == ["`type` of tags[] was string, is integer"]


def _kept(version: str = "1", **fields: Any) -> docs.Schemas:
    """What was given out, but that `member.added` had other fields."""
    schema = copy.deepcopy(dict(catalogue.schema("member.added")))
    schema["properties"] |= fields
    return docs.read() | {"member.added": {version: schema}}


def test_a_break_without_a_new_version_is_told_with_what_to_do() -> None:
    kept = _kept(nickname={"type": "string"})
    assert docs.problems(kept) == [f"member.added 1: nickname is gone; {REMEDY}"]


def test_a_type_that_is_gone_is_told() -> None:
    kept = docs.read() | {"member.praised": {"1": {}}}
    assert docs.problems(kept) == ["member.praised is gone: types are relied upon; define it again"]


def test_versions_go_up_by_one() -> None:
    assert docs.problems(_kept("2")) == ["member.added is version 1, but version 2 was given out"]


def test_older_versions_are_kept() -> None:
    kept = docs.read()
    kept["member.added"] = {"0": {"type": "object"}, **kept["member.added"]}
    assert docs.snapshot(kept)["member.added"] == kept["member.added"]
