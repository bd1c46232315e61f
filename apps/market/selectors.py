"""Reads of the market room. Its tables are global: any role may read them, inside a scope or outside."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Upper

from apps.core.db.finding import get_one
from apps.market.enums import Freshness
from apps.market.models import Instrument, Listing, Quote, VenueClock
from apps.providers.enums import Capability, ConnectionStatus
from apps.providers.models import Connection
from apps.providers.registry import providers_with


@dataclass(frozen=True, slots=True)
class QuoteSource:
    """Whom a tenant may ask for an instrument's quote: a connection, and the instrument at its venue."""

    connection: Connection
    listing: Listing


def freshness_of(quote: Quote | None, *, now: datetime) -> Freshness:
    """Say what a stored quote is worth at `now`.

    Unknown: there is none, or neither side has a price. Stale: received, or made at the venue, longer ago than
    QUOTE_MAX_AGE_SECONDS; a time ahead of ours proves nothing, either.
    """
    if quote is None or (quote.bid is None and quote.ask is None):
        return Freshness.UNKNOWN
    times = (quote.received_at, quote.venue_at)
    are_recent = all(_is_within(at, now, settings.QUOTE_MAX_AGE_SECONDS) for at in times)
    return Freshness.FRESH if are_recent else Freshness.STALE


def clock_freshness_of(clock: VenueClock | None, *, now: datetime) -> Freshness:
    """Say what a venue's stored clock is worth at `now`: stale as well once the venue was to open or close since."""
    if clock is None:
        return Freshness.UNKNOWN
    turns = [at for at in (clock.next_open_at, clock.next_close_at) if at is not None]
    has_turned = any(clock.venue_at < at <= now for at in turns)
    is_recent = _is_within(clock.asked_at, now, settings.CLOCK_MAX_AGE_SECONDS)
    return Freshness.FRESH if is_recent and not has_turned else Freshness.STALE


def get_instrument(*, key: str) -> Instrument:
    """Return an instrument by its canonical key.

    Raises:
        NotFound: no venue has ever listed it.
    """
    return get_one(Instrument.objects.filter(key=key))


def find_listing(*, venue: str, key: str) -> Listing | None:
    """Return how a venue lists an instrument, with `instrument` loaded; None where it never did."""
    return Listing.objects.select_related("instrument").filter(venue=venue, instrument__key=key).first()


def listings_of(*, instrument: Instrument) -> QuerySet[Listing]:
    """Return how each venue lists an instrument, or last did."""
    return Listing.objects.filter(instrument=instrument).order_by("venue")


def find_quote_source(*, tenant_id: UUID, instrument: Instrument) -> QuoteSource | None:
    """Return the tenant's own connection to ask for a quote, the latest that worked; call it in the tenant's scope."""
    listed = Listing.objects.filter(
        instrument=instrument, listed=True, venue__in=providers_with(Capability.MARKET_DATA)
    )
    listings = {row.venue: row for row in listed}
    usable = Connection.objects.live().filter(tenant_id=tenant_id, status=ConnectionStatus.ACTIVE)
    connection = usable.filter(provider__in=listings).order_by(F("last_synced_at").desc(nulls_last=True), "-id").first()
    return QuoteSource(connection, listings[connection.provider]) if connection else None


def find_quote(*, instrument: Instrument, source: str | None = None) -> Quote | None:
    """Return an instrument's latest quote from one source, or without one from whichever has told last."""
    rows = Quote.objects.filter(instrument=instrument)
    return (rows.filter(source=source) if source else rows.order_by("-received_at")).first()


def instruments(
    *, search: str | None = None, venue: str | None = None, is_tradable: bool | None = None
) -> QuerySet[Instrument]:
    """Return instruments, narrowed down.

    `search` finds the beginning of key, symbol or name, whatever its case. `venue` keeps what it lists now;
    `is_tradable` what that venue (any venue, when none is named) lets trade, or with False what none of them does.
    """
    rows = Instrument.objects.all()
    if search:
        # Upper-cased, so that the pattern indexes serve it.
        begins = search.upper()
        rows = rows.alias(upper_symbol=Upper("symbol"), upper_name=Upper("name")).filter(
            Q(key__startswith=begins) | Q(upper_symbol__startswith=begins) | Q(upper_name__startswith=begins)
        )
    if venue is not None or is_tradable is not None:
        listed = Listing.objects.filter(instrument=OuterRef("pk"), listed=True)
        listed = listed.filter(venue=venue) if venue is not None else listed
        if venue is not None:
            rows = rows.filter(Exists(listed))
        if is_tradable is not None:
            trades = Exists(listed.filter(tradable=True))
            rows = rows.filter(trades if is_tradable else ~trades)
    return rows


def _is_within(at: datetime, now: datetime, seconds: float) -> bool:
    """Tell whether a time is at most so many seconds ago, and not further ahead than clocks may differ."""
    ahead = timedelta(milliseconds=settings.MAX_CLOCK_OFFSET_MS)
    return now - timedelta(seconds=seconds) <= at <= now + ahead
