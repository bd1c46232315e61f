"""Which posted row takes the place of which pending one: the rule by itself."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.sync.matching import Candidate, Match, match

pytestmark = pytest.mark.no_database

DAY = date(2026, 3, 2)


def row(index: int = 0, **values: Any) -> Candidate:
    defaults: dict[str, Any] = {
        "external_id": f"txn_{index}",
        "account": "acc",
        "amount": Decimal("-50.00"),
        "date": DAY,
        "description": "SQ *BLUE HERON COFFEE",
        "counterparty": "BLUE HERON COFFEE",
    }
    return Candidate(index=index, **{**defaults, **values})


def is_match(**posted: Any) -> bool:
    return pairs([row()], [row(7, **posted)]) == {7: 0}


def pairs(pending: Iterable[Candidate], posted: Iterable[Candidate]) -> dict[int, int]:
    return {new: found.pending for new, found in match(pending, posted).items()}


def handed_over(pending: list[Candidate], posted: list[Candidate]) -> dict[int, str]:
    """Return {posted index: the client's words that it gets}."""
    words = {old.index: old.words for old in pending}
    found = match(pending, posted)
    return {new: words[old][0] for new, (old, is_certain) in found.items() if is_certain and words[old]}


@pytest.mark.parametrize(
    ("amount", "matches"),
    [
        ("-50.00", True),
        ("-65.00", True),  # a tip of 30 %
        ("-65.01", False),
        ("-49.99", False),  # nothing posts for a little less
        ("50.00", False),  # a refund is another transaction
    ],
)
def test_amount_has_to_be_the_same_or_a_tip_more(amount: str, matches: bool) -> None:
    assert is_match(amount=Decimal(amount)) is matches


def test_hold_of_one_is_filled_with_any_amount_of_its_sign() -> None:
    hold = row(amount=Decimal(-1), description="SHELL OIL 57442", counterparty="")
    for amount, matches in (("-57.31", {1: 0}), ("57.31", {})):
        posted = row(1, amount=Decimal(amount), description="SHELL OIL 12345678", counterparty="SHELL")
        assert pairs([hold], [posted]) == matches


@pytest.mark.parametrize(("days", "matches"), [(-1, False), (0, True), (10, True), (11, False)])
def test_posting_takes_up_to_ten_days(days: int, matches: bool) -> None:
    assert is_match(date=DAY + timedelta(days=days)) is matches


@pytest.mark.parametrize(
    ("description", "counterparty", "matches"),
    [
        ("SQ *BLUE HERON COFFEE 0042 PORTLAND", "", True),  # a terminal's number and a place were added
        ("CARD 4242", "Blue Heron Coffee", True),  # the enrichment says it
        ("BLUE BOTTLE COFFEE", "", True),  # two of three words: alike enough, with the same amount
        ("SHELL OIL 57442", "SHELL", False),
        ("", "", False),
        ("12345", "999", False),
    ],
)
def test_wording_has_to_be_alike(description: str, counterparty: str, matches: bool) -> None:
    assert is_match(description=description, counterparty=counterparty) is matches


def test_account_has_to_be_the_same() -> None:
    assert not is_match(account="other")


def test_best_pairs_come_first_and_one_to_one() -> None:
    exact, tipped = row(0, amount=Decimal("-50.00")), row(1, amount=Decimal("-45.00"))
    posted = [row(10, amount=Decimal("-50.00")), row(11, amount=Decimal("-54.00"))]
    assert pairs([exact, tipped], posted) == {10: 0, 11: 1}


def test_two_equal_purchases_are_told_apart_by_day_then_by_id() -> None:
    pending = [row(0, date=DAY), row(1, date=DAY - timedelta(days=1))]
    posted = [row(10, date=DAY + timedelta(days=1))]
    assert pairs(pending, posted) == {10: 0}
    assert pairs([row(0), row(1)], [row(10)]) == {10: 0}


def test_order_given_does_not_matter() -> None:
    pending = [row(n, amount=Decimal(-50 - n)) for n in range(3)]
    posted = [row(10 + n, amount=Decimal(-52 - n)) for n in range(3)]
    results = {tuple(sorted(pairs(old, new).items())) for old in permutations(pending) for new in permutations(posted)}
    assert len(results) == 1


@given(
    st.lists(st.tuples(st.integers(-60, -1), st.integers(0, 12)), max_size=6),
    st.lists(st.tuples(st.integers(-60, -1), st.integers(0, 12)), max_size=6),
)
def test_no_row_is_used_twice(old: list[tuple[int, int]], new: list[tuple[int, int]]) -> None:
    def rows(values: list[tuple[int, int]], start: int) -> list[Candidate]:
        return [
            row(start + n, amount=Decimal(amount), date=DAY + timedelta(days=days))
            for n, (amount, days) in enumerate(values)
        ]

    matches = pairs(rows(old, 0), rows(new, 100))
    assert len(set(matches.values())) == len(matches)
    assert set(matches) <= set(range(100, 106))
    assert set(matches.values()) <= set(range(6))


AIRPORT, DOWNTOWN = ({"description": f"UBER TRIP {place}", "counterparty": "UBER"} for place in ("AIRPORT", "DOWNTOWN"))
NOTE, OTHER = {"words": ("with Ana",)}, {"words": ("with Bob",)}


@pytest.mark.parametrize("ids", list(permutations("abcd")))
def test_exact_description_tells_two_rides_of_one_price_apart(ids: tuple[str, ...]) -> None:
    pending = [row(0, external_id=ids[0], **AIRPORT), row(1, external_id=ids[1], **DOWNTOWN)]
    posted = [row(10, external_id=ids[2], **AIRPORT), row(11, external_id=ids[3], **DOWNTOWN)]
    assert match(pending, posted) == {10: Match(0, True), 11: Match(1, True)}


def test_exact_wording_is_worth_more_than_the_same_amount() -> None:
    pending = [row(0, amount=Decimal(-50), **AIRPORT), row(1, amount=Decimal(-55), **DOWNTOWN)]
    posted = [row(10, amount=Decimal(-55), **AIRPORT), row(11, amount=Decimal(-60), **DOWNTOWN)]
    assert pairs(pending, posted) == {10: 0, 11: 1}


def test_counterparty_tells_rows_of_one_meaningless_description_apart() -> None:
    pending = [row(n, external_id=f"{9 - n}", description="CARD PURCHASE", counterparty=f"SHOP {n}") for n in range(2)]
    posted = [row(10 + n, description="CARD PURCHASE", counterparty=f"SHOP {n}") for n in range(2)]
    assert match(pending, posted) == {10: Match(0, True), 11: Match(1, True)}


@pytest.mark.parametrize(
    ("old_words", "posted", "expected"),
    [
        ((NOTE, OTHER), 2, {}),
        ((NOTE, {}), 2, {}),
        ((NOTE, OTHER), 1, {}),
        ((NOTE,), 2, {}),
        ((NOTE, NOTE), 2, {10: "with Ana", 11: "with Ana"}),
        ((NOTE, NOTE), 1, {10: "with Ana"}),
    ],
)
def test_words_that_may_belong_to_another_row_of_a_tie_stay_behind(
    old_words: tuple[dict[str, Any], ...], posted: int, expected: dict[int, str]
) -> None:
    pending = [row(n, **words) for n, words in enumerate(old_words)]
    news = [row(10 + n) for n in range(posted)]
    assert handed_over(pending, news) == expected
    assert len(match(pending, news)) == min(len(pending), posted)


def test_what_a_tie_leaves_over_stays_in_doubt() -> None:
    pending = [row(0, **NOTE), row(1, **OTHER)]
    posted = [row(10), row(11, amount=Decimal(-60))]
    assert match(pending, posted) == {10: Match(0, False), 11: Match(1, False)}


Content = tuple[Any, ...]
_contents = st.tuples(
    st.sampled_from([Decimal(-10), Decimal(-11), Decimal(-1)]),
    st.integers(0, 2),
    st.sampled_from(["UBER AIRPORT", "UBER DOWNTOWN", "UBER", "CARD 12", "CARD 13"]),
    st.sampled_from(["UBER", "LYFT", ""]),
)
_noted = st.tuples(_contents, st.sampled_from(["", "with Ana", "with Bob"]))


def candidate(index: int, external_id: str, content: Content, note: str = "") -> Candidate:
    amount, days, description, counterparty = content
    return row(
        index,
        external_id=external_id,
        amount=amount,
        date=DAY + timedelta(days=days),
        description=description,
        counterparty=counterparty,
        words=(note,),
    )


@given(st.lists(_noted, max_size=5), st.lists(_contents, max_size=5), st.data())
def test_neither_ids_nor_order_decide_what_becomes_of_the_clients_words(
    old: list[tuple[Content, str]], new: list[Content], data: st.DataObject
) -> None:
    def outcome() -> tuple[Counter[Any], Counter[Any]]:
        old_order, new_order = data.draw(st.permutations(range(len(old)))), data.draw(st.permutations(range(len(new))))
        old_ids, new_ids = data.draw(st.permutations(range(len(old)))), data.draw(st.permutations(range(len(new))))
        pending = [candidate(n, f"old{old_ids[n]}", *old[n]) for n in old_order]
        posted = [candidate(n, f"new{new_ids[n]}", new[n]) for n in new_order]
        found = match(pending, posted)
        replaced = Counter((old[found[n].pending][0], new[n]) for n in found)
        given = Counter((new[n], old[found[n].pending][1]) for n in found if found[n].is_certain)
        return replaced, +Counter({key: count for key, count in given.items() if key[1]})

    assert outcome() == outcome()


@given(st.lists(_noted, max_size=5), st.lists(_contents, max_size=5))
def test_exact_pairs_are_never_crossed(old: list[tuple[Content, str]], new: list[Content]) -> None:
    pending = [candidate(n, f"{n}", *values) for n, values in enumerate(old)]
    posted = [candidate(n, f"{n}", values) for n, values in enumerate(new)]
    found = pairs(pending, posted)
    partner = {old_index: new_index for new_index, old_index in found.items()}
    for index, (content, _note) in enumerate(old):
        for other in (n for n, values in enumerate(new) if values == content):
            is_old_well_placed = index in partner and new[partner[index]] == content
            is_new_well_placed = other in found and old[found[other]][0] == content
            assert is_old_well_placed or is_new_well_placed
