"""The retry schedule: seven pauses, spread by a fifth, longer where a receiver asks for it."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.webhooks.retrying import next_attempt

pytestmark = pytest.mark.no_database

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE, HOUR = 60, 3600
PAUSES = {1: 5, 2: 5 * MINUTE, 3: 30 * MINUTE, 4: 2 * HOUR, 5: 5 * HOUR, 6: 10 * HOUR, 7: 10 * HOUR}


def pause_after(failures: int, *, retry_after: float | None = None, seed: int = 1) -> float:
    at = next_attempt(attempt_count=failures, at=AT, retry_after=retry_after, random=Random(seed))
    assert at is not None
    return (at - AT).total_seconds()


@pytest.mark.parametrize(("failures", "pause"), PAUSES.items())
def test_each_pause_is_spread_by_a_fifth_to_either_side(failures: int, pause: int) -> None:
    pauses = [pause_after(failures, seed=seed) for seed in range(200)]
    assert 0.8 * pause <= min(pauses) < 0.84 * pause
    assert 1.16 * pause < max(pauses) <= 1.2 * pause


def test_the_eighth_failure_is_the_last() -> None:
    assert next_attempt(attempt_count=8, at=AT, retry_after=None, random=Random(1)) is None
    assert next_attempt(attempt_count=8, at=AT, retry_after=60.0, random=Random(1)) is None


def test_a_receiver_can_ask_for_a_longer_pause_but_not_for_a_shorter_one() -> None:
    assert pause_after(1, retry_after=120.0) == 120.0
    assert pause_after(3, retry_after=120.0) == pause_after(3)
    assert pause_after(1, retry_after=0.0) == pause_after(1)


def test_nobody_can_ask_for_more_than_ten_hours() -> None:
    assert pause_after(1, retry_after=24.0 * HOUR) == 10 * HOUR


@given(failures=st.integers(1, 7), retry_after=st.none() | st.floats(0, 86_400), seed=st.integers(0, 1_000_000))
def test_the_next_attempt_is_always_later_and_within_twelve_hours(
    failures: int, retry_after: float | None, seed: int
) -> None:
    at = next_attempt(attempt_count=failures, at=AT, retry_after=retry_after, random=Random(seed))
    assert at is not None
    assert AT + timedelta(seconds=4) <= at <= AT + timedelta(hours=12)
