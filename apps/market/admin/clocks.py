"""Venues' clocks: who is open, and how far ours is off."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    StaffModelAdmin,
    Stat,
    chip,
    column,
    duration,
    moment,
)
from apps.market.admin.display import freshness_chip
from apps.market.models import VenueClock
from apps.market.selectors import clock_freshness_of


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
