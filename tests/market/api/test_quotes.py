"""GET /quotes/{key}: asked for on demand with the tenant's own connection, and never invented."""

from typing import Any

from django.conf import settings
from rest_framework.test import APIClient

from apps.core.actor import system_actor
from apps.core.scope import write_scope
from apps.market.models import Quote
from apps.providers.models import Connection
from tests.factories.market import connect, make_listing, make_quote, this_time
from tests.factories.venue import FIRST, SECOND, Venue

URL = "/api/v1/quotes/"
KEY = "XNAS:AAPL"


def quote_of(client: APIClient, key: str = KEY) -> dict[str, Any]:
    answer = client.get(URL + key)
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def unknown(source: str | None) -> dict[str, Any]:
    values = dict.fromkeys(("bid", "ask", "bid_size", "ask_size", "venue_at", "received_at"))
    return {"instrument": KEY, "source": source, "freshness": "unknown", **values}


def test_a_quote_that_we_do_not_have_is_asked_for(acme, acme_viewer: APIClient, venue: Venue) -> None:
    make_listing(KEY, venue="venue_one")
    connect(acme)
    told = venue.quote("AAPL", "189.98", "190.020")
    body = quote_of(acme_viewer)
    assert body == {
        "instrument": KEY,
        "source": "venue_one",
        "bid": "189.98",
        "ask": "190.02",
        "bid_size": "3",
        "ask_size": "5",
        "venue_at": this_time(told.venue_at),
        "received_at": this_time(Quote.objects.get().received_at),
        "freshness": "fresh",
    }
    assert quote_of(acme_viewer) == body
    assert venue.calls == ["quotes AAPL"]


def test_a_stale_quote_is_asked_for_again(acme, acme_viewer: APIClient, venue: Venue) -> None:
    listing = make_listing(KEY, venue="venue_one")
    connect(acme)
    make_quote(listing, "100", "101", age_seconds=settings.QUOTE_MAX_AGE_SECONDS + 1)
    venue.quote("AAPL", "189.98", "190.02")
    body = quote_of(acme_viewer)
    assert (body["bid"], body["freshness"]) == ("189.98", "fresh")


def test_when_the_venue_fails_the_old_quote_comes_as_stale(acme, acme_viewer: APIClient, venue: Venue) -> None:
    listing = make_listing(KEY, venue="venue_one")
    connect(acme)
    kept = make_quote(listing, "100", "101", age_seconds=settings.QUOTE_MAX_AGE_SECONDS + 1)
    venue.fail()
    body = quote_of(acme_viewer)
    assert (body["bid"], body["ask"], body["freshness"]) == ("100", "101", "stale")
    assert body["received_at"] == this_time(kept.received_at)


def test_when_the_venue_fails_and_we_have_none_it_is_unknown(acme, acme_viewer: APIClient, venue: Venue) -> None:
    make_listing(KEY, venue="venue_one")
    connect(acme)
    venue.fail()
    assert quote_of(acme_viewer) == unknown("venue_one")


def test_what_the_venue_shows_no_side_of_is_unknown(acme, acme_viewer: APIClient, venue: Venue) -> None:
    make_listing(KEY, venue="venue_one")
    connect(acme)
    venue.quote("AAPL", None, None)
    body = quote_of(acme_viewer)
    assert (body["bid"], body["ask"], body["freshness"]) == (None, None, "unknown")


def test_one_side_alone_is_shown_as_it_is(acme, acme_viewer: APIClient, venue: Venue) -> None:
    make_listing(KEY, venue="venue_one")
    connect(acme)
    venue.quote("AAPL", "189.98", None)
    body = quote_of(acme_viewer)
    assert (body["bid"], body["ask"], body["freshness"]) == ("189.98", None, "fresh")


def test_a_tenant_without_a_connection_gets_what_is_stored(
    acme, globex, acme_viewer: APIClient, globex_admin: APIClient, venue: Venue
) -> None:
    listing = make_listing(KEY, venue="venue_one")
    connect(globex)
    assert quote_of(acme_viewer) == unknown(None)
    assert venue.calls == []
    venue.quote("AAPL", "189.98", "190.02")
    assert quote_of(globex_admin)["freshness"] == "fresh"
    body = quote_of(acme_viewer)
    assert (body["source"], body["bid"], body["freshness"]) == ("venue_one", "189.98", "fresh")
    make_quote(listing, age_seconds=60)
    assert quote_of(acme_viewer)["freshness"] == "stale"
    assert venue.calls == ["quotes AAPL"]


def test_of_several_sources_the_last_one_to_tell_is_shown_without_a_connection(
    acme, acme_viewer: APIClient, venue: Venue
) -> None:
    make_quote(make_listing(KEY, venue="venue_one"), "100", "101", age_seconds=9)
    make_quote(make_listing(KEY, venue="venue_two"), "200", "201", age_seconds=5)
    body = quote_of(acme_viewer)
    assert (body["source"], body["bid"]) == ("venue_two", "200")


def test_the_tenants_own_venue_is_the_source(acme, acme_viewer: APIClient, venue: Venue) -> None:
    make_listing(KEY, venue="venue_one")
    make_quote(make_listing(KEY, venue="venue_two"), "200", "201")
    connect(acme)
    venue.quote("AAPL", "100", "101")
    body = quote_of(acme_viewer)
    assert (body["source"], body["bid"]) == ("venue_one", "100")


def test_a_connection_that_needs_attention_is_not_asked(acme, acme_viewer: APIClient, venue: Venue) -> None:
    make_listing(KEY, venue="venue_one")
    connection = connect(acme)
    with write_scope(system_actor("tests", tenant_id=acme.id)):
        Connection.objects.filter(id=connection.id).update(status="needs_attention")
    assert quote_of(acme_viewer) == unknown(None)
    assert venue.calls == []


def test_a_venue_that_no_longer_lists_it_is_not_asked(acme, acme_viewer: APIClient, venue: Venue) -> None:
    make_listing(KEY, venue="venue_one", listed=False)
    connect(acme)
    assert quote_of(acme_viewer) == unknown(None)
    assert (FIRST.calls, SECOND.calls) == ([], [])


def test_keys_with_dots_and_dashes(acme, acme_viewer: APIClient, venue: Venue) -> None:
    connect(acme)
    for key, symbol in {"XNYS:BRK.B": "BRK.B", "CRYPTO:BTC-USD": "BTC/USD"}.items():
        make_listing(key, venue="venue_one", symbol=symbol)
        venue.quote(symbol, "9", "10")
        assert quote_of(acme_viewer, key)["instrument"] == key
        assert quote_of(acme_viewer, key.replace(":", "%3A"))["freshness"] == "fresh"


def test_a_key_that_no_venue_lists_is_not_found(acme_viewer: APIClient) -> None:
    for key in ("XNAS:NOPE", "xnas:aapl", "AAPL", "%00", "XNAS:%0A", "..", "X" * 3000):
        answer = acme_viewer.get(URL + key)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), key
