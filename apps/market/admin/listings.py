"""Instruments as each venue lists them, with its rules for orders."""

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    StaffModelAdmin,
    column,
    link,
    moment,
    recent_values,
    record_url,
)
from apps.market.admin.display import can, rule, trading_chip
from apps.market.models import Listing


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
        return trading_chip(listing)

    @column(gettext_lazy("short"))
    def short(self, listing: Listing) -> str:
        return can(listing.shortable, _("shortable"))

    @column(gettext_lazy("fractions"))
    def fractions(self, listing: Listing) -> str:
        return can(listing.fractionable, _("fractionable"))

    @column(gettext_lazy("smallest quantity"))
    def smallest(self, listing: Listing) -> str:
        return rule(listing.minimum_quantity)

    @column(gettext_lazy("quantity step"))
    def step_figure(self, listing: Listing) -> str:
        return rule(listing.quantity_increment)

    @column(gettext_lazy("price step"))
    def price_figure(self, listing: Listing) -> str:
        return rule(listing.price_increment)

    @column(gettext_lazy("last change"))
    def changed(self, listing: Listing) -> str:
        return moment(listing.updated_at)

    def headline(self, listing: Listing) -> str:
        return listing.symbol

    def subtitle(self, listing: Listing) -> str:
        return f"{listing.venue} · {listing.instrument.name}"

    def status(self, listing: Listing) -> str:
        return trading_chip(listing)
