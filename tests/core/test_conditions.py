"""Conditions as pure functions: whose, how much, when."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from apps.core.conditions import (
    AmountBelow,
    OfficeHours,
    OwnResource,
    conditions_as_json,
    decode_conditions,
    is_below,
    is_own,
    is_within_hours,
    read_conditions,
)

pytestmark = pytest.mark.no_database

ADA, EVE = UUID(int=1), UUID(int=2)
STORED = (
    '{"orders:write":[{"type":"own"},{"type":"amount_below","amount":"10000.50"},'
    '{"type":"hours","time_zone":"Europe/Berlin","days":["mon","fri"],"from":"09:00","to":"17:30"}]}'
)


@pytest.mark.parametrize(
    ("made_by", "by", "own"), [(ADA, ADA, True), (ADA, EVE, False), (None, ADA, False), (None, None, False)]
)
def test_what_nobody_is_known_to_have_made_is_nobodys_own(made_by: UUID | None, by: UUID | None, own: bool) -> None:
    assert is_own(made_by, by=by) is own


@pytest.mark.parametrize(
    ("amount", "below"),
    [("0", True), ("999.999999999", True), ("1000", False), ("1000.000000001", False), ("-1000", False)],
)
def test_below_is_not_at(amount: str, below: bool) -> None:
    assert is_below(Decimal(amount), limit=Decimal(1000)) is below


def test_an_amount_that_is_not_known_is_not_below() -> None:
    assert is_below(None, limit=Decimal(1000)) is False


def within(at: str, *, start: str, end: str, days: tuple[str, ...], zone: str = "Europe/Berlin") -> bool:
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return is_within_hours(now, time_zone=zone, days=days, start=start, end=end)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        # Berlin is an hour ahead in winter (Friday, 27 March 2026), two hours in summer (Monday, 30 March).
        ("2026-03-27T07:59:59.999999", False),
        ("2026-03-27T08:00", True),
        ("2026-03-27T16:29:59.999999", True),
        ("2026-03-27T16:30", False),
        ("2026-03-30T06:59", False),
        ("2026-03-30T07:00", True),
        ("2026-03-30T15:29", True),
        ("2026-03-30T15:30", False),
        ("2026-03-28T10:00", False),  # a Saturday
    ],
)
def test_office_hours_follow_the_clocks_of_the_place(at: str, inside: bool) -> None:
    days = ("mon", "tue", "wed", "thu", "fri")
    assert within(at, start="09:00", end="17:30", days=days) is inside


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        # On 29 March 2026 Berlin's clocks go from 01:59 to 03:00 (at 01:00 UTC): 02:30 never comes.
        ("2026-03-29T00:59", False),
        ("2026-03-29T01:00", False),
        # On 25 October 2026 they go from 02:59 back to 02:00 (at 01:00 UTC): 02:30 comes twice.
        ("2026-10-25T00:30", True),
        ("2026-10-25T01:30", True),
        ("2026-10-25T02:00", False),
    ],
)
def test_an_hour_that_the_clocks_skip_never_comes_and_one_they_repeat_counts_twice(at: str, inside: bool) -> None:
    assert within(at, start="02:00", end="03:00", days=("sun",)) is inside


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-03-02T21:59", False),  # Monday
        ("2026-03-02T22:00", True),
        ("2026-03-03T05:59", True),  # Tuesday, of Monday's shift
        ("2026-03-03T06:00", False),
        ("2026-03-03T22:00", False),
        ("2026-03-02T05:00", False),  # of Sunday's
    ],
)
def test_a_night_shift_belongs_to_the_day_on_which_it_starts(at: str, inside: bool) -> None:
    assert within(at, start="22:00", end="06:00", days=("mon",), zone="UTC") is inside


@pytest.mark.parametrize(("at", "inside"), [("2026-03-02T23:59:59.999999", True), ("2026-03-03T00:00", False)])
def test_a_day_ends_at_24_00(at: str, inside: bool) -> None:
    assert within(at, start="00:00", end="24:00", days=("mon",), zone="UTC") is inside


def test_they_come_back_as_they_were_stored() -> None:
    conditions = decode_conditions(STORED)
    assert conditions == {
        "orders:write": (
            OwnResource(),
            AmountBelow(amount="10000.50"),
            OfficeHours(time_zone="Europe/Berlin", days=("mon", "fri"), start="09:00", end="17:30"),
        )
    }
    assert msgspec.json.encode(conditions_as_json(conditions)).decode() == STORED
    assert read_conditions(conditions_as_json(conditions)) == conditions


def test_in_words() -> None:
    (own, below, hours) = decode_conditions(STORED)["orders:write"]
    assert own.text() == "only what they placed themselves"
    assert below.text() == "only amounts below 10000.5 in the account's currency"
    assert hours.text() == "only on Mon, Fri from 09:00 to 17:30 (Europe/Berlin)"
