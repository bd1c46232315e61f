"""Finds which new posted row took the place of which pending row that vanished.

Banks post a purchase under a new id, a day or two later, with a final amount and sometimes another wording. A match
carries the client's category and note over, so a wrong one is worse than none: the sign has to agree, the amount to be
the same or explained by a tip or by a hold, and the wording to be alike.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

# Tips are rarely more, and card networks let restaurants post this much above what was authorised.
HIGHEST_TIP = Decimal("1.30")
# Pumps and ticket machines authorise one unit of the currency and post what was bought.
HOLD = Decimal(1)
LONGEST_WAIT_DAYS = 10
LEAST_LIKENESS = Decimal("0.5")

_WORDS = re.compile(r"[a-z]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the match looks at of a row. `index` is the caller's; `external_id` breaks ties the same way every time."""

    index: int
    external_id: str
    account: str
    amount: Decimal
    date: date
    description: str
    counterparty: str


def match(pending: Iterable[Candidate], posted: Iterable[Candidate]) -> dict[int, int]:
    """Return {posted index: pending index}, one to one: the best pairs first, whatever the order given."""
    by_account: dict[str, list[Candidate]] = {}
    for old in pending:
        by_account.setdefault(old.account, []).append(old)
    scored = []
    for new in posted:
        for old in by_account.get(new.account, ()):
            score = _score(old, new)
            if score is not None:
                scored.append((score, old.external_id, new.external_id, old.index, new.index))
    matches: dict[int, int] = {}
    taken: set[int] = set()
    for *_rank, old_index, new_index in sorted(scored):
        if new_index not in matches and old_index not in taken:
            matches[new_index] = old_index
            taken.add(old_index)
    return matches


def _score(old: Candidate, new: Candidate) -> tuple[int, Decimal, int] | None:
    """Return how far apart two rows are, the smallest first; None when they cannot be the same purchase."""
    days = (new.date - old.date).days
    if not 0 <= days <= LONGEST_WAIT_DAYS:
        return None
    difference = _amount_difference(old.amount, new.amount)
    likeness = _likeness(old, new)
    if difference is None or likeness < LEAST_LIKENESS:
        return None
    return difference, 1 - likeness, days


def _amount_difference(old: Decimal, new: Decimal) -> int | None:
    """Return 0 for the same amount, 1 for a tip on top, 2 for a hold that was filled; None for anything else."""
    if old == new:
        return 0
    if (old < 0) != (new < 0):
        return None
    if abs(old) < abs(new) <= abs(old) * HIGHEST_TIP:
        return 1
    return 2 if abs(old) == HOLD else None


def _likeness(old: Candidate, new: Candidate) -> Decimal:
    """Return how alike the wordings are, from 0 to 1: the better of counterparty and description.

    Words are compared without digits: terminals, dates and card numbers differ between the two stages.
    """
    return max(_overlap(old.counterparty, new.counterparty), _overlap(old.description, new.description))


def _overlap(old: str, new: str) -> Decimal:
    if not old or not new:
        return Decimal(0)
    if old.casefold() == new.casefold():
        return Decimal(1)
    old_words, new_words = set(_WORDS.findall(old.casefold())), set(_WORDS.findall(new.casefold()))
    if not old_words or not new_words:
        return Decimal(0)
    # Divided by the shorter one: the final wording often only adds a place or a reference.
    return Decimal(len(old_words & new_words)) / min(len(old_words), len(new_words))
