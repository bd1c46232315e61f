"""Quarantined rows, as staff see them."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    Notice,
    Panel,
    Source,
    StaffModelAdmin,
    TenantFilter,
    column,
    link,
    moment,
    one_of,
    pretty,
    recent_values,
    record_url,
)
from apps.core.redaction import redact_text
from apps.providers.models import QuarantinedRow

OPEN_FILTER = one_of(
    "state",
    gettext_lazy("state"),
    {
        "open": (gettext_lazy("Open"), Q(resolved_at=None)),
        "resolved": (gettext_lazy("Resolved"), Q(resolved_at__isnull=False)),
    },
)


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(StaffModelAdmin):
    list_display = ("row", "tenant", "of_connection", "entity", "reason_text", "occurrences", "seen")
    list_select_related = ("connection",)
    list_filter = (TenantFilter, OPEN_FILTER, recent_values("entity", gettext_lazy("entity")))
    search_fields = ("row_key", "reason")
    search_ids = ("id", "connection_id", "run_id")
    empty_hint = gettext_lazy(
        "A provider's row that cannot be understood lands here instead of being dropped. None has."
    )
    facts = (
        (
            gettext_lazy("Row"),
            ("entity", "row_key", "occurrences", "first_seen_at", "last_seen_at", "resolved_at", "id"),
        ),
    )

    @column(gettext_lazy("row"))
    def row(self, row: QuarantinedRow) -> str:
        return row.row_key

    @column(gettext_lazy("connection"))
    def of_connection(self, row: QuarantinedRow) -> str:
        return link(record_url("providers.connection", row.connection_id), str(row.connection))

    @column(gettext_lazy("reason"))
    def reason_text(self, row: QuarantinedRow) -> str:
        return redact_text(row.reason)

    @column(gettext_lazy("last seen"))
    def seen(self, row: QuarantinedRow) -> str:
        return moment(row.last_seen_at)

    def headline(self, row: QuarantinedRow) -> str:
        return f"{row.entity} {row.row_key}"

    def notice(self, row: QuarantinedRow) -> Notice | None:
        """Say why it is here, unless it maps by now."""
        if row.resolved_at is not None:
            return None
        return Notice(
            _("The provider's row did not map to ours"),
            redact_text(row.reason),
            _("The rest of the sync went through. A fix of the adapter reads the row on the next sync."),
            "warn",
        )

    def panels(self, request: HttpRequest, row: QuarantinedRow) -> Sequence[Panel]:
        return [Source(_("What the provider sent (redacted)"), pretty(row.excerpt))]

    def related_links(self, row: QuarantinedRow) -> Sequence[tuple[str, str]]:
        links = [(_("Connection"), record_url("providers.connection", row.connection_id))]
        return [*links, (_("Sync run"), record_url("providers.syncrun", row.run_id))] if row.run_id else links
