"""When owners are told that an endpoint fails, and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.webhooks.patience import Step, earliest_end, next_step

SINCE = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, DAY, MOMENT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)


def step(failing_for: timedelta, notices: int, noticed: timedelta | None, later: timedelta = timedelta(0)):
    """Tell what is due when the last attempt has failed `failing_for` after the first, and `later` has passed."""
    return next_step(
        failing_since=SINCE,
        last_failed_at=SINCE + failing_for,
        notices=notices,
        noticed_at=None if noticed is None else SINCE + noticed,
        now=SINCE + failing_for + later,
    )


@pytest.mark.parametrize(
    ("failing_for", "notices", "noticed", "due"),
    [
        (timedelta(0), 0, None, None),
        (6 * HOUR - MOMENT, 0, None, None),
        (6 * HOUR, 0, None, Step.NOTICE),
        (2 * DAY - MOMENT, 1, 6 * HOUR, None),
        (2 * DAY, 1, 6 * HOUR, Step.NOTICE),
        (4 * DAY - MOMENT, 2, 2 * DAY, None),
        (4 * DAY, 2, 2 * DAY, Step.NOTICE),
        (5 * DAY - MOMENT, 3, 4 * DAY, None),
        (5 * DAY, 3, 4 * DAY, Step.DISABLE),
    ],
)
def test_three_notices_in_four_days_and_the_end_after_five(failing_for, notices, noticed, due) -> None:
    assert step(failing_for, notices, noticed) is due


@pytest.mark.parametrize(
    ("notices", "noticed", "due"),
    [
        (0, None, Step.NOTICE),
        (1, 9 * DAY - 12 * HOUR + MOMENT, None),
        (1, 9 * DAY - 12 * HOUR, Step.NOTICE),
        (2, 9 * DAY - 12 * HOUR, Step.NOTICE),
        (3, 8 * DAY + MOMENT, None),
        (3, 8 * DAY, Step.DISABLE),
    ],
)
def test_whoever_looks_late_gives_the_notices_all_the_same_and_time_to_act_on_them(notices, noticed, due) -> None:
    assert step(9 * DAY, notices, noticed) is due


def test_nobody_is_given_up_for_getting_no_events() -> None:
    """One failure a month ago, nothing sent since: there is nothing to judge by."""
    assert step(timedelta(0), 0, None, later=30 * DAY) is None
    assert step(DAY, 1, 6 * HOUR, later=30 * DAY) is None


def test_after_the_last_notice_it_must_have_failed_for_another_day() -> None:
    assert step(6 * DAY, 3, 6 * DAY - HOUR, later=10 * DAY) is None


def test_the_end_is_foretold() -> None:
    assert earliest_end(failing_since=SINCE, notices=1, noticed_at=SINCE + 6 * HOUR) == SINCE + 5 * DAY
    assert earliest_end(failing_since=SINCE, notices=3, noticed_at=SINCE + 4 * DAY) == SINCE + 5 * DAY
    assert earliest_end(failing_since=SINCE, notices=1, noticed_at=SINCE + 9 * DAY) == SINCE + 11 * DAY
