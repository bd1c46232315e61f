"""Imports of a venue's list: idempotent, complete, and never more trusting than the venue's last word."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database

from apps.core import clock
from apps.market.models import Instrument, Listing, ListingImport
from apps.market.selectors import find_listing
from apps.market.services import import_listings
from apps.market.services import listings as importing
from apps.providers.errors import ProviderError
from apps.providers.types import RejectedRow
from tests.factories.market import asset, connect
from tests.factories.venue import FIRST, SECOND, Venue
from tests.threads import at_once

APPLE = asset("XNAS:AAPL", fractionable=True, quantity_increment=Decimal("0.000000001"))
BERKSHIRE = asset("XNYS:BRK.B", shortable=False)
BITCOIN = asset(
    "CRYPTO:BTC-USD",
    asset_class="crypto",
    name="Bitcoin / US Dollar",
    minimum_quantity=Decimal("0.0001"),
    quantity_increment=Decimal("0.0000001"),
    price_increment=Decimal("0.5"),
)


def listing(key: str, venue: str = "venue_one") -> Listing:
    found = find_listing(venue=venue, key=key)
    assert found is not None
    return found


def counts(row: ListingImport) -> tuple[int, int, int, int, int]:
    return row.listed, row.added, row.changed, row.unlisted, row.refused


def untouched() -> set[tuple[Any, ...]]:
    rows = Listing.objects.values_list("id", "instrument_id", "external_id", "tradable", "listed", "updated_at")
    return set(rows) | set(Instrument.objects.values_list("id", "key", "name"))


def test_the_list_becomes_instruments_and_their_listings(acme, venue: Venue) -> None:
    venue.assets = [APPLE, BERKSHIRE, replace(BITCOIN, symbol="BTC/USD")]
    before = clock.now()
    done = import_listings(connection=connect(acme))
    assert counts(done) == (3, 3, 0, 0, 0)
    assert done.finished_at is not None
    assert before <= done.finished_at <= clock.now()
    told = Instrument.objects.order_by("key").values_list("key", "symbol", "name", "asset_class", "currency")
    assert list(told) == [
        ("CRYPTO:BTC-USD", "BTC-USD", "Bitcoin / US Dollar", "crypto", "USD"),
        ("XNAS:AAPL", "AAPL", "AAPL Inc.", "equity", "USD"),
        ("XNYS:BRK.B", "BRK.B", "BRK.B Inc.", "equity", "USD"),
    ]
    coin = listing("CRYPTO:BTC-USD")
    assert (coin.symbol, coin.external_id, coin.tradable, coin.listed) == ("BTC/USD", "id-CRYPTO:BTC-USD", True, True)
    assert (coin.minimum_quantity, coin.quantity_increment, coin.price_increment) == (
        Decimal("0.0001"),
        Decimal("0.0000001"),
        Decimal("0.5"),
    )
    assert (listing("XNAS:AAPL").fractionable, listing("XNYS:BRK.B").fractionable) == (True, False)
    assert (listing("XNAS:AAPL").shortable, listing("XNYS:BRK.B").shortable) == (True, False)


def test_the_same_list_again_changes_nothing(acme, venue: Venue) -> None:
    venue.assets = [APPLE, BERKSHIRE]
    connection = connect(acme)
    import_listings(connection=connection)
    before = untouched()
    assert counts(import_listings(connection=connection)) == (2, 0, 0, 0, 0)
    assert untouched() == before


def test_what_changed_is_taken_over_and_the_rest_left(acme, venue: Venue) -> None:
    venue.assets = [APPLE, BERKSHIRE]
    connection = connect(acme)
    import_listings(connection=connection)
    kept, id_ = listing("XNYS:BRK.B"), listing("XNAS:AAPL").id
    venue.assets = [replace(APPLE, tradable=False, price_increment=None, name="Apple Inc."), BERKSHIRE]
    assert counts(import_listings(connection=connection)) == (2, 0, 1, 0, 0)
    apple = listing("XNAS:AAPL")
    assert (apple.id, apple.tradable, apple.price_increment, apple.instrument.name) == (id_, False, None, "Apple Inc.")
    assert listing("XNYS:BRK.B").updated_at == kept.updated_at


def test_what_is_no_longer_listed_is_marked_and_comes_back(acme, venue: Venue) -> None:
    venue.assets = [APPLE, BERKSHIRE]
    connection = connect(acme)
    import_listings(connection=connection)
    venue.assets = [BERKSHIRE]
    assert counts(import_listings(connection=connection)) == (1, 0, 0, 1, 0)
    assert (listing("XNAS:AAPL").listed, listing("XNAS:AAPL").tradable) == (False, False)
    assert counts(import_listings(connection=connection)) == (1, 0, 0, 0, 0)
    venue.assets = [APPLE, BERKSHIRE]
    assert counts(import_listings(connection=connection)) == (2, 0, 1, 0, 0)
    assert (listing("XNAS:AAPL").listed, listing("XNAS:AAPL").tradable) == (True, True)


def test_what_does_not_map_is_counted_kept_and_not_tradable(acme, venue: Venue) -> None:
    venue.assets = [APPLE, BERKSHIRE]
    connection = connect(acme)
    import_listings(connection=connection)
    broken = RejectedRow(entity="asset", external_id=APPLE.external_id, reason="no class", excerpt={"symbol": "AAPL"})
    venue.assets = [broken, BERKSHIRE]
    done = import_listings(connection=connection)
    assert counts(done) == (1, 0, 0, 0, 1)
    assert done.refusals == [{"external_id": APPLE.external_id, "reason": "no class", "excerpt": {"symbol": "AAPL"}}]
    assert (listing("XNAS:AAPL").listed, listing("XNAS:AAPL").tradable) == (True, False)


@pytest.mark.parametrize(
    "bad",
    [
        asset("NOCOLON"),
        asset("XNAS:" + "A" * 60),
        replace(APPLE, symbol=""),
        replace(APPLE, external_id="x" * 65),
        replace(APPLE, external_id=""),
    ],
    ids=["key without namespace", "long key", "no symbol", "long id", "no id"],
)
def test_what_cannot_be_stored_is_refused(acme, venue: Venue, bad) -> None:
    venue.assets = [BERKSHIRE, bad]
    assert counts(import_listings(connection=connect(acme))) == (1, 1, 0, 0, 1)
    assert list(Listing.objects.values_list("symbol", flat=True)) == ["BRK.B"]


def test_of_a_symbols_owners_the_one_that_trades_counts(acme, venue: Venue) -> None:
    former = replace(APPLE, external_id="former", tradable=False)
    venue.assets = [former, APPLE, replace(former, external_id="even-older")]
    assert counts(import_listings(connection=connect(acme))) == (1, 1, 0, 0, 0)
    assert listing("XNAS:AAPL").external_id == APPLE.external_id


def test_two_that_trade_under_one_symbol_or_id_are_refused(acme, venue: Venue) -> None:
    venue.assets = [APPLE, replace(APPLE, external_id="other"), replace(BERKSHIRE, external_id=APPLE.external_id)]
    done = import_listings(connection=connect(acme))
    assert counts(done) == (1, 1, 0, 0, 2)
    assert listing("XNAS:AAPL").external_id == APPLE.external_id


def test_an_id_may_move_to_another_instrument(acme, venue: Venue) -> None:
    """As when a company changes its symbol; and two may swap theirs."""
    venue.assets = [asset("XNAS:FB", "a"), asset("XNAS:ONE", "b"), asset("XNAS:TWO", "c")]
    connection = connect(acme)
    import_listings(connection=connection)
    venue.assets = [asset("XNAS:META", "a"), asset("XNAS:ONE", "c"), asset("XNAS:TWO", "b")]
    import_listings(connection=connection)
    rows = Listing.objects.filter(listed=True).order_by("instrument__key")
    assert list(rows.values_list("instrument__key", "external_id", "tradable")) == [
        ("XNAS:META", "a", True),
        ("XNAS:ONE", "c", True),
        ("XNAS:TWO", "b", True),
    ]
    assert (listing("XNAS:FB").listed, listing("XNAS:FB").tradable) == (False, False)


@pytest.mark.parametrize("assets", [[], [RejectedRow(entity="asset", external_id="x", reason="bad")]])
def test_an_empty_list_is_a_failure_and_what_was_listed_stays(acme, venue: Venue, assets) -> None:
    venue.assets = [APPLE]
    connection = connect(acme)
    first = import_listings(connection=connection)
    before = untouched()
    venue.assets = assets
    with pytest.raises(ProviderError, match="empty_list"):
        import_listings(connection=connection)
    assert untouched() == before
    assert ListingImport.objects.get().finished_at == first.finished_at


def test_batches_make_one_list(acme, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 7)
    venue.assets = [asset(f"XNAS:S{n}") for n in range(50)]
    connection = connect(acme)
    assert counts(import_listings(connection=connection)) == (50, 50, 0, 0, 0)
    venue.assets = venue.assets[:20]
    assert counts(import_listings(connection=connection)) == (20, 0, 0, 30, 0)


@pytest.mark.prove
def test_thirty_thousand_take_seconds(acme, venue: Venue) -> None:
    venue.assets = [asset(f"XNAS:S{n}") for n in range(30_000)]
    connection, started = connect(acme), clock.now()
    assert counts(import_listings(connection=connection)) == (30_000, 30_000, 0, 0, 0)
    assert counts(import_listings(connection=connection)) == (30_000, 0, 0, 0, 0)
    assert clock.now() - started < timedelta(seconds=30)


@pytest.mark.commits
def test_two_venues_at_once_share_their_instruments(acme, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 50)
    keys = [f"XNAS:S{n}" for n in range(400)]
    FIRST.assets = [asset(key) for key in keys]
    SECOND.assets = [asset(key, name=f"{key} at two") for key in reversed(keys)]
    connections = [connect(acme, "venue_one"), connect(acme, "venue_two")] * 3
    at_once(lambda connection: import_listings(connection=connection), connections)
    assert Instrument.objects.count() == 400
    assert Listing.objects.filter(venue="venue_one", tradable=True).count() == 400
    assert Listing.objects.filter(venue="venue_two", tradable=True).count() == 400
    with database.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT instrument_id) FROM market_listing")
        assert cursor.fetchone() == (400,)
