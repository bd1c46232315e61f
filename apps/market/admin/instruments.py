"""Instruments: who lists each, and what it costs."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    Panel,
    StaffModelAdmin,
    Table,
    chip,
    column,
    link,
    moment,
    price,
    recent_values,
    record_url,
)
from apps.market.admin.display import freshness_chip, rule, trading_chip
from apps.market.models import Instrument, Listing, Quote
from apps.market.selectors import freshness_of


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
                trading_chip(listing),
                rule(listing.minimum_quantity),
                rule(listing.quantity_increment),
                rule(listing.price_increment),
            ]
            for listing in Listing.objects.filter(instrument=instrument).order_by("venue")
        ]
        venue = [_("venue"), _("symbol"), _("trading"), _("smallest"), _("quantity step"), _("price step")]
        quoted = [_("source"), _("bid"), _("ask"), _("freshness"), _("at the venue")]
        return [
            Table(_("Latest quotes"), quoted, quotes, _("Nobody has asked for its price yet."), frozenset({1, 2})),
            Table(_("Listings"), venue, listings, _("No venue lists it."), frozenset({3, 4, 5})),
        ]
