"""The building blocks of a record's page, as data; `templates/core/detail.html` draws them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from django.utils.functional import Promise

Text = str | Promise
Tone = Literal["ok", "warn", "bad", "info", "run", "idle"]


@dataclass(frozen=True, slots=True)
class Stat:
    """One number of the strip under the title."""

    label: Text
    value: Text
    hint: Text = ""
    tone: Tone = "idle"
    url: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is wrong, why, and what to do next."""

    title: Text
    text: Text = ""
    remedy: Text = ""
    tone: Tone = "bad"


@dataclass(frozen=True, slots=True)
class Table:
    """Related rows. `numeric` holds the indexes of the columns that are aligned to the right."""

    title: Text
    headers: Sequence[Text]
    rows: Sequence[Sequence[Text]]
    empty: Text
    numeric: frozenset[int] = frozenset()
    more_url: str = ""
    more_label: Text = ""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled values of the record itself; drawn in the side column."""

    title: Text
    items: Sequence[tuple[Text, Text]]
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True, slots=True)
class FactsGrid:
    """Groups of labelled values side by side, in the main column."""

    title: Text
    groups: Sequence[Facts]
    kind: str = field(default="grid", init=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Preformatted text: a payload, a traceback. Redact it before."""

    title: Text
    text: str
    kind: str = field(default="source", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One source of a timeline: its key, its name and its icon."""

    key: str
    name: Text
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to a record. `key` is stable, so that a refresh leaves the entry in its place.

    `rank` orders what happened at the same time. `more` is folded away under the entry unless `is_open`.
    """

    key: str
    at: datetime
    lane: Lane
    title: Text
    detail: Text = ""
    code: Text = ""
    tone: Tone = "idle"
    url: str = ""
    rank: int = 0
    more: "Table | Source | None" = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened to a record, in order, from several sources that one can hide; see `timeline.merged`.

    `lanes` are the sources that have entries, each with how many; `entries` have their time and the time since the
    entry before.
    """

    title: Text
    lanes: Sequence[tuple[Lane, int]]
    entries: Sequence[tuple[Happening, Text, Text]]
    empty: Text
    kind: str = field(default="timeline", init=False)


Panel = Table | Facts | FactsGrid | Source | Timeline
