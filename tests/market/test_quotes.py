"""Quotes on demand: one asks, the others wait; what is stored is never replaced by older news or by a failure."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings

from apps.core import clock
from apps.core.guard import CallInsideTransaction
from apps.core.scope import tenant_scope
from apps.market.enums import Freshness
from apps.market.models import Listing, Quote
from apps.market.selectors import freshness_of
from apps.market.services import refresh_quotes
from apps.providers.enums import ErrorCategory
from tests.factories.market import connect, make_listing, make_quote
from tests.factories.venue import FIRST, SECOND, Venue
from tests.threads import at_once


def stored(source: str = "venue_one") -> Quote:
    return Quote.objects.get(source=source)


def test_a_quote_is_stored_with_both_times_and_its_source(acme, venue: Venue) -> None:
    listing = make_listing(venue="venue_one")
    told = venue.quote("AAPL", "189.98", "190.02")
    before = clock.now()
    refresh_quotes(connection=connect(acme), listings=[listing])
    quote = stored()
    assert (quote.instrument_id, quote.source) == (listing.instrument_id, "venue_one")
    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (
        Decimal("189.98"),
        Decimal("190.02"),
        Decimal(3),
        Decimal(5),
    )
    assert quote.venue_at == told.venue_at
    assert before <= quote.received_at <= clock.now()
    assert freshness_of(quote, now=clock.now()) == Freshness.FRESH


def test_a_fresh_quote_is_not_asked_for(acme, venue: Venue) -> None:
    listing = make_listing(venue="venue_one")
    make_quote(listing, age_seconds=settings.QUOTE_MAX_AGE_SECONDS - 5)
    refresh_quotes(connection=connect(acme), listings=[listing])
    assert venue.calls == []


def test_only_what_is_not_fresh_is_asked_for_in_one_call(acme, venue: Venue) -> None:
    listings = {key: make_listing(key, venue="venue_one") for key in ("XNAS:AAPL", "XNYS:BRK.B", "XNAS:MSFT")}
    make_quote(listings["XNAS:AAPL"])
    make_quote(listings["XNYS:BRK.B"], age_seconds=settings.QUOTE_MAX_AGE_SECONDS + 1)
    venue.quote("BRK.B", "450", "451")
    venue.quote("MSFT", "410", "411")
    refresh_quotes(connection=connect(acme), listings=listings.values())
    assert venue.calls == ["quotes BRK.B,MSFT"]
    assert {quote.instrument.key: quote.bid for quote in Quote.objects.select_related("instrument")} == {
        "XNAS:AAPL": Decimal("189.98"),
        "XNYS:BRK.B": Decimal(450),
        "XNAS:MSFT": Decimal(410),
    }


@pytest.mark.parametrize(
    ("bid", "ask"), [("189", None), (None, "190"), (None, None), ("191", "190")], ids=["bid", "ask", "none", "crossed"]
)
def test_a_quote_that_nothing_can_be_decided_upon_is_asked_for_again(
    acme, venue: Venue, bid: str | None, ask: str | None
) -> None:
    listing = make_listing(venue="venue_one")
    make_quote(listing, bid, ask)
    venue.quote("AAPL", "190", "191")
    refresh_quotes(connection=connect(acme), listings=[listing])
    assert (stored().bid, stored().ask) == (Decimal(190), Decimal(191))


def test_a_connection_speaks_for_its_own_venue_alone(acme, venue: Venue) -> None:
    refresh_quotes(connection=connect(acme), listings=[make_listing(venue="venue_two")])
    assert (FIRST.calls, SECOND.calls) == ([], [])


def test_older_news_do_not_replace_newer(acme, venue: Venue) -> None:
    listing = make_listing(venue="venue_one")
    kept = make_quote(listing, "200", "201", age_seconds=20)
    venue.quote("AAPL", "100", "101", venue_at=kept.venue_at - timedelta(microseconds=1))
    refresh_quotes(connection=connect(acme), listings=[listing])
    assert (stored().bid, stored().venue_at, stored().received_at) == (Decimal(200), kept.venue_at, kept.received_at)


def test_the_same_quote_again_is_as_old_at_the_venue_and_newly_received(acme, venue: Venue) -> None:
    listing = make_listing(venue="venue_one")
    kept = make_quote(listing, "200", "201", age_seconds=20)
    venue.quote("AAPL", "200", "201", venue_at=kept.venue_at)
    refresh_quotes(connection=connect(acme), listings=[listing])
    assert stored().venue_at == kept.venue_at
    assert stored().received_at > kept.received_at
    assert freshness_of(stored(), now=clock.now()) == Freshness.STALE  # the venue's feed stands still


def test_a_quote_from_the_future_is_not_taken(acme, venue: Venue) -> None:
    listing = make_listing(venue="venue_one")
    ahead = timedelta(milliseconds=settings.MAX_CLOCK_OFFSET_MS) + timedelta(seconds=5)
    venue.quote("AAPL", "100", "101", venue_at=clock.now() + ahead)
    refresh_quotes(connection=connect(acme), listings=[listing])
    assert not Quote.objects.exists()


@pytest.mark.parametrize("category", [ErrorCategory.RETRYABLE, ErrorCategory.THROTTLED, ErrorCategory.AUTH])
def test_a_failure_leaves_the_old_quote_as_it_is(acme, venue: Venue, category: ErrorCategory) -> None:
    listing = make_listing(venue="venue_one")
    kept = make_quote(listing, age_seconds=20)
    venue.fail(category=category)
    refresh_quotes(connection=connect(acme), listings=[listing])
    assert venue.calls == ["quotes AAPL"]
    assert (stored().bid, stored().venue_at, stored().received_at) == (kept.bid, kept.venue_at, kept.received_at)
    assert freshness_of(stored(), now=clock.now()) == Freshness.STALE


def test_a_symbol_that_the_venue_has_no_quote_for_stays_unknown(acme, venue: Venue) -> None:
    refresh_quotes(connection=connect(acme), listings=[make_listing(venue="venue_one")])
    assert venue.calls == ["quotes AAPL"]
    assert not Quote.objects.exists()


def test_a_venue_is_never_called_inside_a_transaction(acme, venue: Venue) -> None:
    listing, connection = make_listing(venue="venue_one"), connect(acme)
    with pytest.raises(CallInsideTransaction), tenant_scope(acme.id):
        refresh_quotes(connection=connection, listings=[listing])
    assert venue.calls == []


@pytest.mark.commits
def test_twenty_at_once_make_one_call_and_all_find_its_answer(acme, venue: Venue) -> None:
    listing, connection = make_listing(venue="venue_one"), connect(acme)
    venue.quote("AAPL", "189.98", "190.02")
    venue.seconds = 0.3

    def ask(_caller: int) -> Decimal:
        refresh_quotes(connection=connection, listings=[listing])
        return stored().bid

    assert at_once(ask, range(20)) == [Decimal("189.98")] * 20
    assert venue.calls == ["quotes AAPL"]


@pytest.mark.commits
def test_a_failure_is_shared_as_well(acme, venue: Venue) -> None:
    listing, connection = make_listing(venue="venue_one"), connect(acme)
    venue.fail()
    venue.seconds = 0.3
    at_once(lambda _caller: refresh_quotes(connection=connection, listings=[listing]), range(20))
    assert venue.calls == ["quotes AAPL"]
    assert not Quote.objects.exists()


@pytest.mark.commits
def test_what_fails_with_one_connection_is_asked_for_with_ones_own_by_one_for_all(acme, globex, venue: Venue) -> None:
    listing = make_listing(venue="venue_one")
    broken, working = connect(acme, credentials={"key": "broken"}), connect(globex, credentials={"key": "good"})
    venue.quote("AAPL", "189.98", "190.02")
    venue.fail(refused_key="broken")
    refresh_quotes(connection=broken, listings=[listing])
    assert (venue.calls, Quote.objects.count()) == (["quotes AAPL"], 0)
    venue.seconds = 0.2

    def ask(_caller: int) -> Decimal:
        refresh_quotes(connection=working, listings=[listing])
        return stored().bid

    assert at_once(ask, range(6)) == [Decimal("189.98")] * 6
    assert venue.calls == ["quotes AAPL"] * 2


@pytest.mark.commits
def test_those_who_want_several_wait_for_what_another_is_asking_and_ask_the_rest(acme, venue: Venue) -> None:
    apple, microsoft = make_listing("XNAS:AAPL", venue="venue_one"), make_listing("XNAS:MSFT", venue="venue_one")
    connection = connect(acme)
    venue.quote("AAPL", "189", "190")
    venue.quote("MSFT", "410", "411")
    venue.seconds = 0.5

    def ask(listings: list[Listing]) -> None:
        time.sleep(0.1 * len(listings))
        refresh_quotes(connection=connection, listings=listings)
        assert Quote.objects.filter(instrument__in=[row.instrument for row in listings]).count() == len(listings)

    at_once(ask, [[apple], [apple, microsoft]])
    assert venue.calls == ["quotes AAPL", "quotes MSFT"]


@pytest.mark.commits
def test_two_venues_do_not_wait_for_each_other(acme, venue: Venue) -> None:
    one = make_listing(venue="venue_one")
    two = make_listing(venue="venue_two")
    connections = {"venue_one": connect(acme), "venue_two": connect(acme, "venue_two")}
    FIRST.quote("AAPL", "100", "101")
    SECOND.quote("AAPL", "200", "201")
    FIRST.seconds = SECOND.seconds = 0.2
    at_once(lambda row: refresh_quotes(connection=connections[row.venue], listings=[row]), [one, two] * 10)
    assert (FIRST.calls, SECOND.calls) == (["quotes AAPL"], ["quotes AAPL"])
    assert {quote.source: quote.bid for quote in Quote.objects.all()} == {
        "venue_one": Decimal(100),
        "venue_two": Decimal(200),
    }


def test_without_valkey_everybody_asks(acme, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    listing = make_listing(venue="venue_one")
    venue.quote("AAPL", "189.98", "190.02")
    refresh_quotes(connection=connect(acme), listings=[listing])
    assert stored().bid == Decimal("189.98")
