"""The order rate: so many at once, and back evenly over a minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.orders.rules.rate import next_reset
from apps.orders.rules.units import MINUTE, SECOND
from tests.orders.rules.case import NOW

pytestmark = pytest.mark.no_database


def let_through(times: list[int], per_minute: int) -> list[int]:
    """Return which of the times are let through, one order each."""
    reset: int | None = None
    passed: list[int] = []
    for at in times:
        after = next_reset(now=at, reset_at=reset, per_minute=per_minute)
        if after is not None:
            reset, passed = after, [*passed, at]
    return passed


@pytest.mark.parametrize("per_minute", [1, 2, 7, 60, 600])
def test_exactly_the_limit_passes_at_once(per_minute: int):
    assert len(let_through([NOW] * (per_minute + 50), per_minute)) == per_minute


def test_one_more_passes_each_time_its_share_of_the_minute_has_gone_by():
    times = [NOW] * 3 + [NOW + 20 * SECOND - 1, NOW + 20 * SECOND, NOW + 20 * SECOND, NOW + 60 * SECOND]
    assert let_through(times, 3) == [NOW, NOW, NOW, NOW + 20 * SECOND, NOW + 60 * SECOND]


def test_a_limit_of_nothing_lets_nothing_through():
    assert let_through([NOW], 0) == []


def test_after_a_quiet_minute_all_is_as_at_the_beginning():
    assert len(let_through([NOW] * 5 + [NOW + MINUTE] * 9, 5)) == 10


@given(st.integers(1, 100), st.lists(st.integers(0, 5 * MINUTE), max_size=300))
def test_over_any_time_no_more_pass_than_at_once_and_the_rate(per_minute: int, offsets: list[int]):
    passed = let_through(sorted(NOW + offset for offset in offsets), per_minute)
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            count, span = last - first + 1, passed[last] - start
            assert count <= per_minute + span * per_minute // MINUTE
