"""The venue's clock: read when it is not fresh, by one at a time, with our times before and after."""

from datetime import timedelta

import pytest
from django.conf import settings

from apps.core import clock
from apps.market.enums import Freshness
from apps.market.models import VenueClock
from apps.market.selectors import clock_freshness_of
from apps.market.services import refresh_clock
from apps.providers.trading import ClockData
from tests.factories.market import connect, make_clock
from tests.factories.venue import Venue
from tests.threads import at_once


def told(*, is_open: bool = True) -> ClockData:
    now = clock.now()
    hour = timedelta(hours=1)
    return ClockData(venue_at=now, is_open=is_open, next_open_at=now + 20 * hour, next_close_at=now + hour)


def test_the_clock_is_stored_between_our_asking_and_its_answer(acme, venue: Venue) -> None:
    venue.clock = told()
    before = clock.now()
    refresh_clock(connection=connect(acme))
    row = VenueClock.objects.get()
    assert (row.venue, row.is_open, row.venue_at) == ("venue_one", True, venue.clock.venue_at)
    assert (row.next_open_at, row.next_close_at) == (venue.clock.next_open_at, venue.clock.next_close_at)
    assert before <= row.asked_at <= row.received_at <= clock.now()


def test_a_fresh_clock_is_not_asked_for(acme, venue: Venue) -> None:
    make_clock("venue_one", age_seconds=settings.CLOCK_MAX_AGE_SECONDS - 5)
    refresh_clock(connection=connect(acme))
    assert venue.calls == []


def test_an_old_clock_is_replaced(acme, venue: Venue) -> None:
    make_clock("venue_one", age_seconds=settings.CLOCK_MAX_AGE_SECONDS + 1)
    venue.clock = told(is_open=False)
    refresh_clock(connection=connect(acme))
    assert venue.calls == ["clock"]
    assert not VenueClock.objects.get().is_open


def test_a_clock_is_asked_for_again_once_the_venue_was_to_close(acme, venue: Venue) -> None:
    row = make_clock("venue_one", age_seconds=5, next_close_at=clock.now() - timedelta(seconds=1))
    assert clock_freshness_of(row, now=clock.now()) == Freshness.STALE
    venue.clock = told(is_open=False)
    refresh_clock(connection=connect(acme))
    assert not VenueClock.objects.get().is_open


def test_a_failure_leaves_the_clock_to_grow_stale(acme, venue: Venue) -> None:
    row = make_clock("venue_one", age_seconds=settings.CLOCK_MAX_AGE_SECONDS + 1)
    venue.fail()
    refresh_clock(connection=connect(acme))
    assert VenueClock.objects.get().received_at == row.received_at
    assert clock_freshness_of(VenueClock.objects.get(), now=clock.now()) == Freshness.STALE


def test_without_a_clock_it_is_unknown(now) -> None:
    assert clock_freshness_of(None, now=now) == Freshness.UNKNOWN


def test_a_failure_a_moment_ago_with_another_connection_is_no_answer(acme, globex, venue: Venue) -> None:
    broken, working = connect(acme, credentials={"key": "broken"}), connect(globex, credentials={"key": "good"})
    now = clock.now()
    venue.clock = ClockData(venue_at=now, is_open=True, next_open_at=None, next_close_at=None)
    venue.fail(refused_key="broken")
    for connection in (broken, working):
        refresh_clock(connection=connection)
    assert venue.calls == ["clock"] * 2
    assert VenueClock.objects.get().is_open


@pytest.mark.commits
def test_twenty_at_once_make_one_call(acme, venue: Venue) -> None:
    connection = connect(acme)
    venue.clock = told()
    venue.seconds = 0.3
    at_once(lambda _caller: refresh_clock(connection=connection), range(20))
    assert venue.calls == ["clock"]
    assert VenueClock.objects.get().is_open
