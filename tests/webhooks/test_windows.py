"""How much an endpoint may have on the wire is what it has earned."""

from uuid import UUID

import pytest

from apps.webhooks.sending.windows import FIRST, LARGEST, REMEMBERED, Windows

pytestmark = pytest.mark.no_database

QUICK, OTHER = UUID(int=1), UUID(int=2)


def answer(windows: Windows, endpoint_id: UUID, *, succeeded: bool = True, duration_ms: int = 20) -> None:
    windows.begin(endpoint_id)
    windows.end(endpoint_id, succeeded=succeeded, duration_ms=duration_ms)


def test_a_new_endpoint_has_room_for_two() -> None:
    windows = Windows()
    assert (FIRST, windows.rooms()) == (2, {})
    windows.begin(QUICK)
    assert windows.rooms() == {QUICK: 1}


def test_quick_answers_double_it_up_to_a_bound() -> None:
    windows, rooms = Windows(), []
    for _ in range(7):
        answer(windows, QUICK)
        rooms.append(windows.rooms()[QUICK])
    assert rooms == [4, 8, 16, 32, 64, 64, 64]
    assert LARGEST == 64


def test_a_failure_leaves_one_and_a_slow_answer_half() -> None:
    windows = Windows()
    for _ in range(4):
        answer(windows, QUICK)
    answer(windows, QUICK, duration_ms=1_000)
    assert windows.rooms() == {QUICK: 16}
    answer(windows, QUICK, succeeded=False)
    assert windows.rooms() == {QUICK: 1}
    answer(windows, QUICK, duration_ms=5_000)
    assert windows.rooms() == {QUICK: 1}


def test_what_is_on_the_wire_takes_room_of_its_own_endpoint_alone() -> None:
    windows = Windows()
    answer(windows, QUICK)
    for _ in range(3):
        windows.begin(QUICK)
    windows.begin(OTHER)
    windows.begin(OTHER)
    assert windows.rooms() == {QUICK: 1, OTHER: 0}


def test_a_window_that_shrank_below_what_is_on_the_wire_has_no_room() -> None:
    windows = Windows()
    windows.begin(QUICK)
    windows.begin(QUICK)
    windows.end(QUICK, succeeded=False, duration_ms=1)
    assert windows.rooms() == {QUICK: 0}


def test_endpoints_are_not_remembered_for_ever() -> None:
    windows = Windows()
    windows.begin(QUICK)
    for number in range(REMEMBERED + 1):
        answer(windows, UUID(int=100 + number))
    assert len(windows.rooms()) <= REMEMBERED
    assert windows.rooms()[QUICK] == 1
