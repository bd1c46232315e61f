"""What came of the last import of each venue's list."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    Panel,
    Source,
    StaffModelAdmin,
    Stat,
    chip,
    clock_time,
    column,
    moment,
    number,
    pretty,
)
from apps.market.models import ListingImport


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
