"""The virtual clock: it runs with the real one, jumps, stands still, and never goes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.clock import Timeline, wire_date, wire_time

pytestmark = pytest.mark.no_database
GENESIS = 1_772_452_800.0  # 2026-03-02T12:00:00Z
HOUR, DAY = 3_600.0, 86_400.0


def test_virtual_time_is_real_time_until_it_is_advanced() -> None:
    timeline = Timeline(GENESIS)
    assert timeline.virtual(GENESIS + HOUR) == GENESIS + HOUR
    assert timeline.real(GENESIS + HOUR) == GENESIS + HOUR
    assert timeline.offset == 0


def test_what_an_advance_passed_over_is_dated_at_the_advance() -> None:
    timeline = Timeline(GENESIS)
    timeline.advance(GENESIS + HOUR, 10 * DAY)
    assert timeline.virtual(GENESIS + HOUR) == GENESIS + HOUR + 10 * DAY
    assert timeline.real(GENESIS + 4 * DAY) == GENESIS + HOUR
    assert wire_date(timeline.real(GENESIS + 4 * DAY)) == "2026-03-02"


def test_what_happens_after_an_advance_is_dated_when_it_is_seen() -> None:
    timeline = Timeline(GENESIS)
    timeline.advance(GENESIS, 10 * DAY)
    assert timeline.real(GENESIS + 10 * DAY + 13 * HOUR) == GENESIS + 13 * HOUR


def test_a_clock_that_is_held_moves_by_advances_alone() -> None:
    timeline = Timeline(GENESIS)
    timeline.set_running(GENESIS, False)
    assert timeline.virtual(GENESIS + DAY) == GENESIS
    timeline.advance(GENESIS + DAY, HOUR)
    assert timeline.virtual(GENESIS + 2 * DAY) == GENESIS + HOUR
    assert timeline.real(GENESIS + HOUR) == GENESIS + DAY
    timeline.set_running(GENESIS + 2 * DAY, True)
    assert timeline.virtual(GENESIS + 2 * DAY + 5) == GENESIS + HOUR + 5
    assert timeline.real(GENESIS + HOUR + 5) == GENESIS + 2 * DAY + 5


MOVES = st.lists(
    st.tuples(st.integers(0, 50_000), st.one_of(st.integers(0, 900_000), st.booleans())),
    min_size=1,
    max_size=8,
)


@given(moves=MOVES, share=st.floats(0, 1))
def test_the_day_of_a_past_instant_never_changes_and_follows_the_order(
    moves: list[tuple[int, int | bool]], share: float
) -> None:
    timeline, at = Timeline(GENESIS), GENESIS
    noted: list[tuple[float, float]] = []
    for wait, move in moves:
        at += wait
        instant = GENESIS + (timeline.virtual(at) - GENESIS) * share
        noted.append((instant, timeline.real(instant)))
        if isinstance(move, bool):
            timeline.set_running(at, move)
        else:
            timeline.advance(at, move)
        for instant, real in noted:
            assert timeline.real(instant) == real <= at + 1e-3
    reals = [real for _, real in sorted(noted)]
    assert reals == sorted(reals)


def test_wire_times_are_utc() -> None:
    assert wire_time(GENESIS) == "2026-03-02T12:00:00.000Z"
    assert wire_date(GENESIS + 12 * HOUR) == "2026-03-03"
