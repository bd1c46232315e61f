"""Latest quotes, asked for when they are needed."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection as database
from django.db.models import F

from apps.core import clock
from apps.core.ids import new_id
from apps.core.shared.flight import fly
from apps.market.enums import Freshness
from apps.market.models import Listing, Quote
from apps.market.selectors import freshness_of
from apps.providers import registry
from apps.providers.errors import ProviderError
from apps.providers.models import Connection
from apps.providers.trading import QuoteData

logger = logging.getLogger(__name__)

MOST_SYMBOLS_A_CALL = 100
# A quote never gives way to an older one; with the same time at the venue it was seen again.
_UPSERT = """
    INSERT INTO market_quote AS q
        (id, instrument_id, source, bid, ask, bid_size, ask_size, venue_at, received_at)
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[],
        %s::numeric[], %s::timestamptz[], %s::timestamptz[])
    ON CONFLICT (instrument_id, source) DO UPDATE
    SET bid = excluded.bid, ask = excluded.ask, bid_size = excluded.bid_size, ask_size = excluded.ask_size,
        venue_at = excluded.venue_at, received_at = excluded.received_at
    WHERE (excluded.venue_at, excluded.received_at) > (q.venue_at, q.received_at)
"""


def refresh_quotes(*, connection: Connection, listings: Iterable[Listing], ahead: timedelta = timedelta(0)) -> None:
    """Ask the connection's venue for those quotes that are not fresh, or will not be `ahead` from now; read them again.

    Does HTTP: call it outside of any transaction. Of all processes one asks, the others wait for its answer; should it
    have failed with another connection, this one is tried. When the venue fails, or has no usable quote, the stored one
    stays as it is and is stale or unknown. Listings of other venues are left out: a connection speaks for its own.
    """
    wanted = {row.symbol: row for row in listings if row.venue == connection.provider}
    symbols = _to_ask(wanted, connection.provider, ahead)
    names = {f"quote:{connection.provider}:{symbol}": symbol for symbol in symbols}

    def ask(mine: Sequence[str]) -> None:
        # Somebody's flight may have landed between the look above and the take-off.
        listings = {names[name]: wanted[names[name]] for name in mine}
        _fetch(connection, listings, _to_ask(listings, connection.provider, ahead))

    try:
        fly(sorted(names), ask, by=str(connection.id))
    except ProviderError as error:
        logger.warning("market.quotes_not_refreshed", extra={"venue": connection.provider, "code": error.code})


def _to_ask(listings: Mapping[str, Listing], source: str, ahead: timedelta) -> list[str]:
    """Return the symbols whose stored quote will not be fresh then, lacks a side, or has its sides crossed."""
    ids = [row.instrument_id for row in listings.values()]
    usable = Quote.objects.filter(source=source, instrument_id__in=ids, bid__lte=F("ask"))
    then = clock.now() + ahead
    fresh = {row.instrument_id for row in usable if freshness_of(row, now=then) == Freshness.FRESH}
    return [symbol for symbol, row in listings.items() if row.instrument_id not in fresh]


def _fetch(connection: Connection, listings: Mapping[str, Listing], symbols: Sequence[str]) -> None:
    if not symbols:
        return
    with registry.market_data_for(connection) as adapter:
        for start in range(0, len(symbols), MOST_SYMBOLS_A_CALL):
            found = adapter.latest_quotes(symbols[start : start + MOST_SYMBOLS_A_CALL])
            _store(connection.provider, listings, found, received_at=clock.now())


def _store(
    source: str, listings: Mapping[str, Listing], found: Mapping[str, QuoteData], *, received_at: datetime
) -> None:
    # A time ahead of ours would keep every later quote out.
    latest = received_at + timedelta(milliseconds=settings.MAX_CLOCK_OFFSET_MS)
    rows = [
        (
            new_id(),
            listings[symbol].instrument_id,
            source,
            quote.bid,
            quote.ask,
            quote.bid_size,
            quote.ask_size,
            quote.venue_at,
            received_at,
        )
        for symbol, quote in sorted(found.items(), key=lambda item: listings[item[0]].instrument_id)
        if quote.venue_at <= latest
    ]
    if len(rows) < len(found):
        logger.warning("market.quotes_from_the_future", extra={"venue": source, "count": len(found) - len(rows)})
    if rows:
        with database.cursor() as cursor:
            cursor.execute(_UPSERT, [list(column) for column in zip(*rows, strict=True)])
