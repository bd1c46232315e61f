"""Finds which new posted row took the place of which pending row that vanished.

Banks post a purchase under a new id, a day or two later, with a final amount and sometimes another wording. A match
carries the client's category and note over, so a wrong one is worse than none: the sign has to agree, the amount to be
the same or explained by a tip or by a hold, and the wording to be alike.

Among the candidates the one with exactly the same wording wins, then the one with the same amount. Where nothing but
ids is left to decide, rows are still paired, the same way every time, so that each replaced row is told as replaced;
but words that could as well belong to another row of the tie stay behind on the removed row, where `replaces` leads.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

# Tips are rarely more, and card networks let restaurants post this much above what was authorised.
HIGHEST_TIP = Decimal("1.30")
# Pumps and ticket machines authorise one unit of the currency and post what was bought.
HOLD = Decimal(1)
LONGEST_WAIT_DAYS = 10
LEAST_LIKENESS = Decimal("0.5")

_WORDS = re.compile(r"[a-z]{2,}")

# The smallest fits best: does the description differ, does the counterparty, then amount, wording and days.
Score = tuple[bool, bool, int, Decimal, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the match looks at of a row. `index` is the caller's; `external_id` breaks ties the same way every time.

    `words` are what the client wrote on a pending row.
    """

    index: int
    external_id: str
    account: str
    amount: Decimal
    date: date
    description: str
    counterparty: str
    words: tuple[str, ...] = ()


class Match(NamedTuple):
    """The pending row that a posted one replaces, by index; `is_certain` when its words belong to the posted one."""

    pending: int
    is_certain: bool


class _Pair(NamedTuple):
    score: Score
    old: Candidate
    new: Candidate

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return ("old", self.old.index), ("new", self.new.index)


def match(pending: Iterable[Candidate], posted: Iterable[Candidate]) -> dict[int, Match]:
    """Return {posted index: match}, one to one: the best pairs first, whatever the order given."""
    matches: dict[int, Match] = {}
    used: set[tuple[str, int]] = set()
    # Rows of a tie with several outcomes: which of them is left over for a worse pair, only ids have decided.
    doubtful: set[tuple[str, int]] = set()
    pairs = sorted(_pairs(pending, posted), key=lambda pair: (pair.score, _rank(pair.old), _rank(pair.new)))
    for _score, same_score in groupby(pairs, key=lambda pair: pair.score):
        for tie in _ties([pair for pair in same_score if used.isdisjoint(pair.ends)]):
            chosen = _one_to_one(tie)
            ends = {end for pair in tie for end in pair.ends}
            is_certain = _has_one_outcome(tie, chosen) and doubtful.isdisjoint(ends)
            if not is_certain:
                doubtful |= ends
            matches |= {pair.new.index: Match(pair.old.index, is_certain) for pair in chosen}
            used.update(end for pair in chosen for end in pair.ends)
    return matches


def _pairs(pending: Iterable[Candidate], posted: Iterable[Candidate]) -> Iterator[_Pair]:
    by_account: dict[str, list[Candidate]] = {}
    for old in pending:
        by_account.setdefault(old.account, []).append(old)
    for new in posted:
        for old in by_account.get(new.account, ()):
            score = _score(old, new)
            if score is not None:
                yield _Pair(score, old, new)


def _rank(row: Candidate) -> tuple[date, Decimal, str, str, str]:
    """Return an order by content; ids decide only between rows that are the same in everything."""
    return row.date, row.amount, row.description, row.counterparty, row.external_id


def _ties(pairs: Sequence[_Pair]) -> Iterable[list[_Pair]]:
    """Group pairs of one score that hang together by their rows; most pairs are a group of their own."""
    neighbours: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for pair in pairs:
        old, new = pair.ends
        neighbours.setdefault(old, []).append(new)
        neighbours.setdefault(new, []).append(old)
    group_of: dict[tuple[str, int], int] = {}
    for number, start in enumerate(neighbours):
        reached = [] if start in group_of else [start]
        while reached:
            end = reached.pop()
            if end not in group_of:
                group_of[end] = number
                reached += neighbours[end]
    groups: dict[int, list[_Pair]] = {}
    for pair in pairs:
        groups.setdefault(group_of[pair.ends[0]], []).append(pair)
    return groups.values()


def _one_to_one(tie: Iterable[_Pair]) -> list[_Pair]:
    used: set[tuple[str, int]] = set()
    chosen = []
    for pair in tie:
        if used.isdisjoint(pair.ends):
            used.update(pair.ends)
            chosen.append(pair)
    return chosen


def _has_one_outcome(tie: Sequence[_Pair], chosen: Sequence[_Pair]) -> bool:
    """Tell whether each posted row gets the same words however the rows of the tie are paired."""
    return len({pair.old.words for pair in tie}) == 1 and len(chosen) == len({pair.new.index for pair in tie})


def _score(old: Candidate, new: Candidate) -> Score | None:
    """Return how far apart two rows are; None when they cannot be the same purchase."""
    days = (new.date - old.date).days
    if not 0 <= days <= LONGEST_WAIT_DAYS:
        return None
    difference = _amount_difference(old.amount, new.amount)
    description = _overlap(old.description, new.description)
    counterparty = _overlap(old.counterparty, new.counterparty)
    # Either may say it: banks reword the one and enrichment fills the other.
    if difference is None or max(description, counterparty) < LEAST_LIKENESS:
        return None
    return (
        old.description.casefold() != new.description.casefold(),
        old.counterparty.casefold() != new.counterparty.casefold(),
        difference,
        2 - description - counterparty,
        days,
    )


def _amount_difference(old: Decimal, new: Decimal) -> int | None:
    """Return 0 for the same amount, 1 for a tip on top, 2 for a hold that was filled; None for anything else."""
    if old == new:
        return 0
    if (old < 0) != (new < 0):
        return None
    if abs(old) < abs(new) <= abs(old) * HIGHEST_TIP:
        return 1
    return 2 if abs(old) == HOLD else None


def _overlap(old: str, new: str) -> Decimal:
    """Return how alike two wordings are, from 0 to 1.

    Words are compared without digits: terminals, dates and card numbers differ between the two stages.
    """
    if not old or not new:
        return Decimal(0)
    if old.casefold() == new.casefold():
        return Decimal(1)
    old_words, new_words = set(_WORDS.findall(old.casefold())), set(_WORDS.findall(new.casefold()))
    if not old_words or not new_words:
        return Decimal(0)
    # Divided by the shorter one: the final wording often only adds a place or a reference.
    return Decimal(len(old_words & new_words)) / min(len(old_words), len(new_words))
