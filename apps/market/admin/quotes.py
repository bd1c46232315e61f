"""The latest quotes, and what they are worth."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    NOTHING,
    Notice,
    StaffModelAdmin,
    Stat,
    column,
    moment,
    price,
    recent_values,
)
from apps.market.admin.display import freshness_chip
from apps.market.enums import Freshness
from apps.market.models import Quote
from apps.market.selectors import freshness_of


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
