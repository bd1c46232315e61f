"""Which posted row takes the place of which pending one: the rule by itself."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.sync.matching import Candidate, match

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
    return match([row()], [row(7, **posted)]) == {7: 0}


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
        assert match([hold], [posted]) == matches


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
    assert match([exact, tipped], posted) == {10: 0, 11: 1}


def test_two_equal_purchases_are_told_apart_by_day_then_by_id() -> None:
    pending = [row(0, date=DAY), row(1, date=DAY - timedelta(days=1))]
    posted = [row(10, date=DAY + timedelta(days=1))]
    assert match(pending, posted) == {10: 0}
    assert match([row(0), row(1)], [row(10)]) == {10: 0}


def test_order_given_does_not_matter() -> None:
    pending = [row(n, amount=Decimal(-50 - n)) for n in range(3)]
    posted = [row(10 + n, amount=Decimal(-52 - n)) for n in range(3)]
    results = {tuple(sorted(match(old, new).items())) for old in permutations(pending) for new in permutations(posted)}
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

    matches = match(rows(old, 0), rows(new, 100))
    assert len(set(matches.values())) == len(matches)
    assert set(matches) <= set(range(100, 106))
    assert set(matches.values()) <= set(range(6))
