"""The whole room against the sandbox's Alpaca over HTTP: list, clock and quotes, with its faults."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from apps.core import clock
from apps.market.enums import Freshness
from apps.market.models import Instrument, Listing, Quote, VenueClock
from apps.market.selectors import clock_freshness_of, find_listing, freshness_of
from apps.market.services import import_listings, refresh_clock, refresh_quotes
from apps.providers.models import Connection
from tests.factories.market import connect, make_listing, make_quote
from tests.sandbox_process import SandboxProcess
from tests.threads import at_once

QUOTES = "GET /v2/stocks/quotes/latest"


@pytest.fixture
def broker(acme, keys: dict[str, str]) -> Connection:
    return connect(acme, "alpaca", credentials=keys)


@pytest.fixture
def apple(acme) -> Listing:
    return make_listing("XNAS:AAPL", venue="alpaca")


def asked(sandbox: SandboxProcess, since: int, path: str = "/v2/stocks/quotes/latest") -> int:
    """Return how often the sandbox was asked since its log had so many lines."""
    return sum(entry["path"].partition("?")[0].endswith(path) for entry in sandbox.log("alpaca")[since:])


def quote_of(listing: Listing) -> Quote | None:
    return Quote.objects.filter(instrument=listing.instrument).first()


def test_every_asset_of_the_venue_becomes_a_listing(broker: Connection) -> None:
    done = import_listings(connection=broker)
    assert done.listed == Listing.objects.count() == Instrument.objects.count() > 10
    assert (done.added, done.changed, done.unlisted) == (done.listed, 0, 0)
    apple = find_listing(venue="alpaca", key="XNAS:AAPL")
    coin = find_listing(venue="alpaca", key="CRYPTO:BTC-USD")
    dead = Listing.objects.get(symbol="DEAD")
    assert apple is not None
    assert coin is not None
    assert (apple.symbol, apple.tradable, apple.fractionable) == ("AAPL", True, True)
    assert (coin.symbol, coin.instrument.asset_class, coin.minimum_quantity) == ("BTC/USD", "crypto", Decimal("0.0001"))
    assert (dead.tradable, Listing.objects.get(symbol="WHOLE").quantity_increment) == (False, Decimal(1))
    again = import_listings(connection=broker)
    assert (again.listed, again.added, again.changed, again.unlisted) == (done.listed, 0, 0, 0)


def test_quotes_of_stocks_and_coins_are_fresh(broker: Connection, sandbox: SandboxProcess) -> None:
    import_listings(connection=broker)
    keys = ("XNAS:AAPL", "CRYPTO:BTC-USD")
    listings = [listing for key in keys if (listing := find_listing(venue="alpaca", key=key))]
    sandbox.control("POST", "/alpaca/quote", symbol="AAPL", bid="189.98", ask="190.02")
    before = clock.now()
    refresh_quotes(connection=broker, listings=listings)
    apple, coin = (quote_of(listing) for listing in listings)
    assert apple is not None
    assert coin is not None
    assert (apple.bid, apple.ask, apple.source) == (Decimal("189.98"), Decimal("190.02"), "alpaca")
    assert before - timedelta(seconds=1) <= apple.venue_at <= apple.received_at
    assert [freshness_of(quote, now=clock.now()) for quote in (apple, coin)] == [Freshness.FRESH] * 2


def test_a_feed_that_stands_still_is_stale(broker: Connection, apple: Listing, sandbox: SandboxProcess) -> None:
    age = settings.QUOTE_MAX_AGE_SECONDS + 5
    sandbox.control("POST", "/alpaca/quote", symbol="AAPL", bid="189.98", ask="190.02", age_seconds=age)
    refresh_quotes(connection=broker, listings=[apple])
    assert freshness_of(quote_of(apple), now=clock.now()) == Freshness.STALE


def test_what_the_venue_shows_no_quote_of_is_unknown(
    broker: Connection, apple: Listing, sandbox: SandboxProcess
) -> None:
    sandbox.control("POST", "/alpaca/quote", symbol="AAPL", quoteless=True)
    refresh_quotes(connection=broker, listings=[apple])
    assert quote_of(apple) is None


FAULTS: dict[str, dict[str, Any]] = {
    "503": {"kind": "status:503"},
    "malformed": {"kind": "malformed"},
    "throttled": {"kind": "throttle"},
    "cut": {"kind": "drop_response"},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_leaves_the_stored_quote_and_the_api_says_stale(
    broker: Connection, apple: Listing, acme_viewer: APIClient, sandbox: SandboxProcess, fault: dict[str, Any]
) -> None:
    kept = make_quote(apple, "100", "101", age_seconds=60)
    sandbox.fault(provider="alpaca", match=QUOTES, rate=1, **fault)
    answer = acme_viewer.get("/api/v1/quotes/XNAS:AAPL")
    assert answer.status_code == 200
    assert (answer.json()["bid"], answer.json()["freshness"]) == ("100", "stale")
    stored = quote_of(apple)
    assert stored is not None
    assert (stored.bid, stored.received_at) == (kept.bid, kept.received_at)


def test_one_failure_is_tried_again_and_the_quote_is_there(
    broker: Connection, apple: Listing, acme_viewer: APIClient, sandbox: SandboxProcess
) -> None:
    sandbox.fault("status:503", provider="alpaca", match=QUOTES, count=1)
    assert acme_viewer.get("/api/v1/quotes/XNAS:AAPL").json()["freshness"] == "fresh"


def test_keys_that_the_venue_refuses_leave_the_quote_unknown(
    acme, apple: Listing, keys: dict[str, str], acme_viewer: APIClient
) -> None:
    connect(acme, "alpaca", credentials={**keys, "secret_key": "wrong"})
    answer = acme_viewer.get("/api/v1/quotes/XNAS:AAPL")
    assert (answer.status_code, answer.json()["freshness"], answer.json()["bid"]) == (200, "unknown", None)


@pytest.mark.commits
def test_twenty_at_once_are_one_request(broker: Connection, apple: Listing, sandbox: SandboxProcess) -> None:
    sandbox.fault("delay:300", provider="alpaca", match=QUOTES, count=1)
    before = len(sandbox.log("alpaca"))
    at_once(lambda _caller: refresh_quotes(connection=broker, listings=[apple]), range(20))
    assert asked(sandbox, before) == 1
    assert freshness_of(quote_of(apple), now=clock.now()) == Freshness.FRESH


@pytest.mark.commits
def test_twenty_questions_to_the_api_are_one_request(
    acme, apple: Listing, broker: Connection, acme_viewer: APIClient, sandbox: SandboxProcess
) -> None:
    from tests.conftest import client_for
    from tests.factories.tenants import make_api_key

    secret = make_api_key(acme, role="viewer")
    before = len(sandbox.log("alpaca"))
    answers = at_once(lambda _caller: client_for(secret).get("/api/v1/quotes/XNAS:AAPL").json(), range(20))
    assert asked(sandbox, before) == 1
    assert {answer["freshness"] for answer in answers} == {"fresh"}
    assert len({answer["bid"] for answer in answers}) == 1


def test_the_clock_agrees_with_ours(broker: Connection) -> None:
    refresh_clock(connection=broker)
    row = VenueClock.objects.get(venue="alpaca")
    assert row.is_open
    assert row.asked_at - timedelta(milliseconds=50) <= row.venue_at <= row.received_at + timedelta(milliseconds=50)
    assert clock_freshness_of(row, now=clock.now()) == Freshness.FRESH


def test_a_venue_that_closes_is_closed_at_the_next_look(broker: Connection, sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "/alpaca/market", open=False)
    refresh_clock(connection=broker)
    assert not VenueClock.objects.get(venue="alpaca").is_open


def test_a_clock_that_cannot_be_had_stays_unknown(broker: Connection, sandbox: SandboxProcess) -> None:
    sandbox.fault("malformed", provider="alpaca", match="GET /v2/clock", rate=1)
    refresh_clock(connection=broker)
    assert not VenueClock.objects.exists()
