"""The gate's decisions."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    NOTHING,
    Panel,
    Source,
    StaffModelAdmin,
    Stat,
    TenantFilter,
    TimeFilter,
    about_url,
    chip,
    clock_time,
    column,
    link,
    moment,
    one_of,
    pretty,
    recent_values,
    record_url,
    sentence,
    tag,
    two_lines,
)
from apps.orders.admin import display
from apps.orders.admin.gate import checks_table, inputs_grid, request_facts
from apps.orders.models import RiskDecision

TRIAL_FILTER = one_of(
    "for",
    gettext_lazy("for"),
    {
        "order": (gettext_lazy("An order"), Q(order__isnull=False)),
        "trial": (gettext_lazy("A dry run"), Q(order=None)),
    },
)


@admin.register(RiskDecision)
class RiskDecisionAdmin(StaffModelAdmin):
    plural = gettext_lazy("risk decisions")
    list_is_live = True
    list_display = ("decided", "result", "tenant", "of_account", "order_cell", "why", "by")
    list_display_links = ("decided",)
    list_filter = (TenantFilter, TimeFilter, "outcome", recent_values("code", gettext_lazy("code")), TRIAL_FILTER)
    list_select_related = ("account", "order__instrument")
    search_fields = ("code__exact",)
    search_ids = ("id", "order_id", "account_id")
    search_help_text = gettext_lazy("Code, or an id")
    empty_hint = gettext_lazy("The gate leaves a decision for every order and every dry run, with all it looked at.")
    facts = ((gettext_lazy("Decision"), ("decided_at", "by", "order_cell", "of_account", "id")),)

    @column(gettext_lazy("time (UTC)"))
    def decided(self, row: RiskDecision) -> str:
        return clock_time(row.decided_at)

    @column(gettext_lazy("outcome"))
    def result(self, row: RiskDecision) -> str:
        return display.outcome_chip(row)

    @column(gettext_lazy("account"))
    def of_account(self, row: RiskDecision) -> str:
        return link(record_url("accounts.account", row.account_id), str(row.account))

    @column(gettext_lazy("order"))
    def order_cell(self, row: RiskDecision) -> str:
        if row.order is None:
            return chip(_("dry run"))
        return link(record_url("orders.order", row.order_id), display.words(row.order))

    @column(gettext_lazy("code"))
    def why(self, row: RiskDecision) -> str:
        return two_lines(tag(row.code), sentence(row.detail))

    @column(gettext_lazy("by"))
    def by(self, row: RiskDecision) -> str:
        return str(row.actor.get("label", "")) or NOTHING

    def headline(self, row: RiskDecision) -> str:
        return display.plainly(row.code) if row.code else _("Passed the risk gate")

    def subtitle(self, row: RiskDecision) -> str:
        return sentence(row.detail) or (display.words(row.order) if row.order else _("A dry run: nothing was placed."))

    def status(self, row: RiskDecision) -> str:
        return self.result(row)

    def stats(self, row: RiskDecision) -> Sequence[Stat]:
        failed = sum(1 for check in row.checks if check.get("code"))
        return (
            Stat(_("Checks passed"), f"{len(row.checks) - failed} / {len(row.checks)}"),
            Stat(_("Decided"), moment(row.decided_at)),
            Stat(_("For"), _("an order") if row.order_id else _("a dry run")),
        )

    def panels(self, request: HttpRequest, row: RiskDecision) -> Sequence[Panel]:
        return [
            checks_table(row.checks, title=_("Checks, in order")),
            request_facts(row.request),
            inputs_grid(row.inputs),
            Source(_("As stored"), pretty({"request": row.request, "inputs": row.inputs})),
        ]

    def related_links(self, row: RiskDecision) -> Sequence[tuple[str, str]]:
        links = [(_("Decisions of this account"), about_url("orders.riskdecision", row, row.account_id))]
        return [(_("Order"), record_url("orders.order", row.order_id)), *links] if row.order_id else links
