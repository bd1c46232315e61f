"""Instruments, listings, quotes and clocks, without asking a venue."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import write_scope
from apps.market.models import Instrument, Listing, Quote, VenueClock
from apps.providers.models import Connection
from apps.providers.services import create_connection
from apps.providers.trading import AssetData
from apps.tenants.models import Tenant


def make_instrument(key: str = "XNAS:AAPL", **values: Any) -> Instrument:
    """Create a US equity, or what `values` say."""
    defaults: dict[str, Any] = {
        "symbol": key.partition(":")[2],
        "name": f"{key.partition(':')[2]} Inc.",
        "asset_class": "crypto" if key.startswith("CRYPTO:") else "equity",
        "currency": "USD",
        "created_at": clock.now(),
    }
    return Instrument.objects.create(key=key, **{**defaults, **values})


def make_listing(key: str = "XNAS:AAPL", *, venue: str = "alpaca", **values: Any) -> Listing:
    """Create a venue's listing of an instrument, which is created when it is new: whole shares, cents, tradable."""
    instrument = Instrument.objects.filter(key=key).first() or make_instrument(key)
    defaults: dict[str, Any] = {
        "external_id": f"{venue}-{key}",
        "symbol": instrument.symbol,
        "tradable": True,
        "shortable": True,
        "quantity_increment": Decimal(1),
        "price_increment": Decimal("0.01"),
        "updated_at": clock.now(),
    }
    return Listing.objects.create(instrument=instrument, venue=venue, **{**defaults, **values})


def make_quote(
    listing: Listing, bid: str | None = "189.98", ask: str | None = "190.02", *, age_seconds: float = 0, **values: Any
) -> Quote:
    """Create or replace a venue's quote, made and received so many seconds ago."""
    at = clock.now() - timedelta(seconds=age_seconds)
    defaults: dict[str, Any] = {
        "bid": None if bid is None else Decimal(bid),
        "ask": None if ask is None else Decimal(ask),
        "bid_size": Decimal(3),
        "ask_size": Decimal(5),
        "venue_at": at,
        "received_at": at,
    }
    row, _is_new = Quote.objects.update_or_create(
        instrument=listing.instrument, source=listing.venue, defaults={**defaults, **values}
    )
    return row


def make_clock(venue: str = "alpaca", *, is_open: bool = True, age_seconds: float = 0, **values: Any) -> VenueClock:
    """Create or replace a venue's clock, read so many seconds ago, open for four hours on either side."""
    at = clock.now() - timedelta(seconds=age_seconds)
    hours = timedelta(hours=4)
    defaults: dict[str, Any] = {
        "is_open": is_open,
        "venue_at": at,
        "next_open_at": at + 5 * hours,
        "next_close_at": at + hours,
        "asked_at": at,
        "received_at": at,
    }
    row, _is_new = VenueClock.objects.update_or_create(venue=venue, defaults={**defaults, **values})
    return row


def asset(key: str = "XNAS:AAPL", external_id: str = "", **values: Any) -> AssetData:
    """Return an asset as an adapter tells it: whole shares, cents, tradable."""
    symbol = key.partition(":")[2]
    defaults: dict[str, Any] = {
        "name": f"{symbol} Inc.",
        "asset_class": "equity",
        "currency": "USD",
        "tradable": True,
        "shortable": True,
        "fractionable": False,
        "minimum_quantity": None,
        "quantity_increment": Decimal(1),
        "price_increment": Decimal("0.01"),
    }
    return AssetData(key=key, external_id=external_id or f"id-{key}", symbol=symbol, **{**defaults, **values})


def connect(
    tenant: Tenant,
    provider: str = "venue_one",
    *,
    credentials: Mapping[str, str] | None = None,
    has_synced: bool = True,
) -> Connection:
    """Connect a tenant to a broker; it has been synchronised unless told otherwise.

    The venues of `factories.venue` take any credentials; Alpaca's are the sandbox's `credentials(label)["alpaca"]`.
    """
    actor, now = system_actor("tests", tenant_id=tenant.id), clock.now()
    connection = create_connection(
        provider=provider, credentials=credentials or {"key": "k"}, label=provider, actor=actor, now=now
    )
    if has_synced:
        with write_scope(actor):
            Connection.objects.filter(id=connection.id).update(last_synced_at=now)
        connection.last_synced_at = now
    return connection


def this_time(at: datetime) -> str:
    """Return a time as the API writes it."""
    return at.isoformat().replace("+00:00", "Z")
