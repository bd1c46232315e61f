"""Instruments, listings, quotes and venues' clocks, as staff see them: read-only, observed and not decided."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    NOTHING,
    Notice,
    Panel,
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    chip,
    clock_time,
    column,
    duration,
    link,
    moment,
    number,
    pretty,
    price,
    quantity,
    recent_values,
    record_url,
)
from apps.core.admin.panels import Tone
from apps.market.enums import Freshness
from apps.market.models import Instrument, Listing, ListingImport, Quote, VenueClock
from apps.market.selectors import clock_freshness_of, freshness_of

_TONES: dict[str, Tone] = {Freshness.FRESH: "ok", Freshness.STALE: "warn", Freshness.UNKNOWN: "bad"}


def freshness_chip(value: str) -> SafeString:
    """Return what a quote or a clock is worth now."""
    return chip(Freshness(value).label, _TONES[value])


def _rule(value: Any) -> SafeString:
    return NOTHING if value is None else quantity(value)


def _can(allowed: bool, label: str) -> SafeString:
    return chip(label, "ok") if allowed else chip(_("no"), "idle")


@admin.register(Instrument)
class InstrumentAdmin(StaffModelAdmin):
    list_display = ("key", "name", "sort", "currency", "seen")
    list_filter = (recent_values("asset_class", gettext_lazy("class")),)
    ordering = ("key", "pk")
    search_fields = ("key__startswith", "symbol__iexact", "name__istartswith")
    search_help_text = gettext_lazy("Beginning of a key or a name, a symbol, or an id")
    empty_hint = gettext_lazy("Instruments come with the list of a venue, once a brokerage connection is made.")
    facts = ((gettext_lazy("Instrument"), ("symbol", "name", "asset_class", "currency", "created_at", "id")),)

    @column(gettext_lazy("class"))
    def sort(self, instrument: Instrument) -> str:
        return chip(instrument.asset_class)

    @column(gettext_lazy("first seen"))
    def seen(self, instrument: Instrument) -> str:
        return moment(instrument.created_at)

    def subtitle(self, instrument: Instrument) -> str:
        return instrument.name

    def status(self, instrument: Instrument) -> str:
        return chip(instrument.asset_class)

    def panels(self, request: HttpRequest, instrument: Instrument) -> Sequence[Panel]:
        now = clock.now()
        quotes = [
            [
                link(record_url("market.quote", quote.pk), quote.source),
                price(quote.bid),
                price(quote.ask),
                freshness_chip(freshness_of(quote, now=now)),
                moment(quote.venue_at),
            ]
            for quote in Quote.objects.filter(instrument=instrument).order_by("source")
        ]
        listings = [
            [
                link(record_url("market.listing", listing.pk), listing.venue),
                listing.symbol,
                _trading(listing),
                _rule(listing.minimum_quantity),
                _rule(listing.quantity_increment),
                _rule(listing.price_increment),
            ]
            for listing in Listing.objects.filter(instrument=instrument).order_by("venue")
        ]
        venue = [_("venue"), _("symbol"), _("trading"), _("smallest"), _("quantity step"), _("price step")]
        quoted = [_("source"), _("bid"), _("ask"), _("freshness"), _("at the venue")]
        return [
            Table(_("Latest quotes"), quoted, quotes, _("Nobody has asked for its price yet."), frozenset({1, 2})),
            Table(_("Listings"), venue, listings, _("No venue lists it."), frozenset({3, 4, 5})),
        ]


def _trading(listing: Listing) -> SafeString:
    if not listing.listed:
        return chip(_("no longer listed"), "bad")
    return chip(_("tradable"), "ok") if listing.tradable else chip(_("not tradable"), "warn")


@admin.register(Listing)
class ListingAdmin(StaffModelAdmin):
    list_display = (
        "symbol",
        "venue",
        "what",
        "trading",
        "short",
        "fractions",
        "step_figure",
        "price_figure",
        "changed",
    )
    list_filter = (recent_values("venue", gettext_lazy("venue")), "listed", "tradable", "shortable", "fractionable")
    list_select_related = ("instrument",)
    ordering = ("symbol", "pk")
    search_fields = ("symbol__istartswith", "external_id__exact")
    search_ids = ("id", "instrument_id", "external_id")
    search_help_text = gettext_lazy("Beginning of a symbol, or an id")
    empty_hint = gettext_lazy("A venue's list is imported when a connection to it is made, and then once a day.")
    facts = (
        (gettext_lazy("Listing"), ("what", "venue", "external_id", "updated_at", "id")),
        (gettext_lazy("Rules for orders"), ("smallest", "step_figure", "price_figure", "short", "fractions")),
    )

    @column(gettext_lazy("instrument"))
    def what(self, listing: Listing) -> str:
        return link(record_url("market.instrument", listing.instrument_id), listing.instrument.key)

    @column(gettext_lazy("trading"))
    def trading(self, listing: Listing) -> str:
        return _trading(listing)

    @column(gettext_lazy("short"))
    def short(self, listing: Listing) -> str:
        return _can(listing.shortable, _("shortable"))

    @column(gettext_lazy("fractions"))
    def fractions(self, listing: Listing) -> str:
        return _can(listing.fractionable, _("fractionable"))

    @column(gettext_lazy("smallest quantity"))
    def smallest(self, listing: Listing) -> str:
        return _rule(listing.minimum_quantity)

    @column(gettext_lazy("quantity step"))
    def step_figure(self, listing: Listing) -> str:
        return _rule(listing.quantity_increment)

    @column(gettext_lazy("price step"))
    def price_figure(self, listing: Listing) -> str:
        return _rule(listing.price_increment)

    @column(gettext_lazy("last change"))
    def changed(self, listing: Listing) -> str:
        return moment(listing.updated_at)

    def headline(self, listing: Listing) -> str:
        return listing.symbol

    def subtitle(self, listing: Listing) -> str:
        return f"{listing.venue} · {listing.instrument.name}"

    def status(self, listing: Listing) -> str:
        return _trading(listing)


@admin.register(Quote)
class QuoteAdmin(StaffModelAdmin):
    list_is_live = True
    list_display = ("what", "source", "worth", "bid_figure", "ask_figure", "spread_figure", "made", "received")
    list_filter = (recent_values("source", gettext_lazy("source")),)
    list_select_related = ("instrument",)
    ordering = ("-received_at", "-pk")
    search_fields = ("instrument__symbol__iexact", "instrument__key__exact")
    search_ids = ("id", "instrument_id")
    search_help_text = gettext_lazy("Symbol, instrument key, or an id")
    empty_hint = gettext_lazy("A quote is stored when an order or a client asks for it.")
    facts = ((gettext_lazy("Quote"), ("what", "source", "bid_size", "ask_size", "venue_at", "received_at", "id")),)

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each quote what it is worth now."""
        now = clock.now()
        for row in rows:
            row.freshness = freshness_of(row, now=now)

    @column(gettext_lazy("instrument"))
    def what(self, quote: Quote) -> str:
        return quote.instrument.key

    @column(gettext_lazy("freshness"))
    def worth(self, quote: Any) -> str:
        return freshness_chip(quote.freshness)

    @column(gettext_lazy("bid"))
    def bid_figure(self, quote: Quote) -> str:
        return price(quote.bid)

    @column(gettext_lazy("ask"))
    def ask_figure(self, quote: Quote) -> str:
        return price(quote.ask)

    @column(gettext_lazy("spread"))
    def spread_figure(self, quote: Quote) -> str:
        return NOTHING if quote.bid is None or quote.ask is None else price(quote.ask - quote.bid)

    @column(gettext_lazy("at the venue"))
    def made(self, quote: Quote) -> str:
        return moment(quote.venue_at)

    @column(gettext_lazy("received"))
    def received(self, quote: Quote) -> str:
        return moment(quote.received_at)

    def headline(self, quote: Quote) -> str:
        return quote.instrument.key

    def subtitle(self, quote: Quote) -> str:
        return quote.source

    def status(self, quote: Quote) -> str:
        return self.worth(quote)

    def notice(self, quote: Any) -> Notice | None:
        """Say what an old quote means."""
        if quote.freshness == Freshness.FRESH:
            return None
        text = _("The gate decides upon a fresh quote alone: it asks for a new one, or denies the order.")
        return Notice(_("Too old to decide upon"), text, tone="info")

    def stats(self, quote: Quote) -> Sequence[Stat]:
        return (
            Stat(_("Bid"), price(quote.bid)),
            Stat(_("Ask"), price(quote.ask)),
            Stat(_("Spread"), self.spread_figure(quote)),
            Stat(_("At the venue"), moment(quote.venue_at)),
            Stat(_("Received"), moment(quote.received_at)),
        )


@admin.register(VenueClock)
class VenueClockAdmin(StaffModelAdmin):
    list_is_live = True
    list_display = ("venue", "state", "worth", "offset_figure", "opens", "closes", "read")
    ordering = ("venue", "pk")
    search_fields = ("venue__iexact",)
    empty_hint = gettext_lazy("A venue's clock is read when an order asks whether the venue is open.")
    facts = (
        (
            gettext_lazy("Clock"),
            ("venue_at", "asked_at", "received_at", "next_open_at", "next_close_at", "id"),
        ),
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each clock what it is worth now."""
        now = clock.now()
        for row in rows:
            row.freshness = clock_freshness_of(row, now=now)

    @column(gettext_lazy("state"))
    def state(self, row: VenueClock) -> str:
        return chip(_("open"), "ok") if row.is_open else chip(_("closed"), "idle")

    @column(gettext_lazy("freshness"))
    def worth(self, row: Any) -> str:
        return freshness_chip(row.freshness)

    @column(gettext_lazy("our clock is off by"))
    def offset_figure(self, row: VenueClock) -> str:
        middle = row.asked_at + (row.received_at - row.asked_at) / 2
        return f"{duration(abs(row.venue_at - middle))} ± {duration((row.received_at - row.asked_at) / 2)}"

    @column(gettext_lazy("next open"))
    def opens(self, row: VenueClock) -> str:
        return moment(row.next_open_at)

    @column(gettext_lazy("next close"))
    def closes(self, row: VenueClock) -> str:
        return moment(row.next_close_at)

    @column(gettext_lazy("read"))
    def read(self, row: VenueClock) -> str:
        return moment(row.received_at)

    def status(self, row: VenueClock) -> str:
        return self.state(row)

    def stats(self, row: VenueClock) -> Sequence[Stat]:
        return (
            Stat(_("Freshness"), self.worth(row)),
            Stat(_("Our clock is off by"), self.offset_figure(row)),
            Stat(
                _("Next close") if row.is_open else _("Next open"), self.closes(row) if row.is_open else self.opens(row)
            ),
            Stat(_("Read"), moment(row.received_at)),
        )


@admin.register(ListingImport)
class ListingImportAdmin(StaffModelAdmin):
    list_display = ("venue", "asked", "succeeded", "listed", "added", "changed", "unlisted", "refused")
    ordering = ("venue", "pk")
    search_fields = ("venue__iexact",)
    empty_hint = gettext_lazy("The list of a venue is imported when a connection to it is made, and then once a day.")
    facts = ((gettext_lazy("Import"), ("requested_at", "finished_at", "id")),)

    @column(gettext_lazy("asked for"))
    def asked(self, row: ListingImport) -> str:
        return clock_time(row.requested_at)

    @column(gettext_lazy("succeeded"))
    def succeeded(self, row: ListingImport) -> str:
        return moment(row.finished_at)

    def status(self, row: ListingImport) -> str:
        if row.finished_at is None or (row.requested_at is not None and row.requested_at > row.finished_at):
            return chip(_("under way"), "run")
        return chip(_("refused rows"), "warn") if row.refused else chip(_("complete"), "ok")

    def stats(self, row: ListingImport) -> Sequence[Stat]:
        names = (
            (_("Listed"), row.listed),
            (_("Added"), row.added),
            (_("Changed"), row.changed),
            (_("No longer listed"), row.unlisted),
            (_("Refused"), row.refused),
        )
        return [Stat(label, number(count)) for label, count in names]

    def panels(self, request: HttpRequest, row: ListingImport) -> Sequence[Panel]:
        return [Source(_("Refused rows"), pretty(row.refusals))] if row.refusals else []
