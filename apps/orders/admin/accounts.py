"""Trading accounts: what the gate knows of each, its limits, and what it holds and does."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    StaffModelAdmin,
    Stat,
    TenantFilter,
    about_url,
    chip,
    column,
    link,
    money,
    number,
    recent_values,
    record_url,
)
from apps.orders.admin import account_panels as panels
from apps.orders.admin import display
from apps.orders.admin.limits import limits_view
from apps.orders.enums import SwitchScope
from apps.orders.models import InstallationKillSwitch, KillSwitch, Order, RiskAccount
from apps.orders.rules.states import OPEN_STATES
from apps.orders.selectors import kill_switches
from apps.orders.services.kill_switch import set_kill_switch

STOPPED = Outcome(
    message("Trading is stopped on %(count)s account"), message("Trading is stopped on %(count)s accounts")
)
RELEASED = Outcome(message("%(count)s account may trade again"), message("%(count)s accounts may trade again"))


def _stop(account: RiskAccount, actor: Actor, now: datetime, reason: str) -> Outcome:
    _set_switch(account, actor, now, reason, engaged=True)
    return STOPPED


def _release(account: RiskAccount, actor: Actor, now: datetime, reason: str) -> Outcome:
    _set_switch(account, actor, now, reason, engaged=False)
    return RELEASED


def _set_switch(account: RiskAccount, actor: Actor, now: datetime, reason: str, *, engaged: bool) -> None:
    set_kill_switch(
        scope=SwitchScope.ACCOUNT,
        account_id=account.account_id,
        engaged=engaged,
        reason=reason,
        actor=actor,
        now=now,
    )


def _is_stopped_itself(account: Any) -> bool:
    return isinstance(account.stop, KillSwitch) and account.stop.account_id is not None


def _stopped(stop: KillSwitch | InstallationKillSwitch) -> str:
    if isinstance(stop, InstallationKillSwitch):
        return _("stopped with the installation")
    return _("stopped") if stop.account_id else _("stopped with its tenant")


@admin.register(RiskAccount)
class RiskAccountAdmin(StaffModelAdmin):
    plural = gettext_lazy("trading accounts")
    list_is_live = page_is_live = True
    list_display = (
        "what",
        "tenant",
        "venue",
        "kind",
        "equity_figure",
        "power_figure",
        "means",
        "trades_figure",
        "switch",
    )
    list_filter = (TenantFilter, "mode", recent_values("venue", gettext_lazy("venue")))
    list_select_related = ("account",)
    search_fields = ("account__name__icontains", "account__external_id__exact")
    search_ids = ("id", "account_id", "connection_id")
    empty_hint = gettext_lazy("A brokerage account comes here with the first order or the first look at its limits.")
    service_actions = (
        ServiceAction(
            name="limits",
            label=gettext_lazy("Change limits"),
            icon="tune",
            page=limits_view,
            sensitive=True,
        ),
        ServiceAction(
            name="stop",
            label=gettext_lazy("Stop trading"),
            icon="block",
            run=_stop,
            confirm=gettext_lazy(
                "Every new order of the account is denied, and none that waits goes out. It waits for an order that "
                "is being sent at this moment. What is at the venue stays there: cancel it if it must go."
            ),
            needs_reason=True,
            danger=True,
            available=lambda account: not _is_stopped_itself(account),
        ),
        ServiceAction(
            name="release",
            label=gettext_lazy("Let trade again"),
            icon="play_arrow",
            run=_release,
            confirm=gettext_lazy("The account's own switch is released. Its tenant's or the installation's is not."),
            needs_reason=True,
            available=_is_stopped_itself,
        ),
    )
    facts = (
        (gettext_lazy("Account"), ("account_fact", "venue", "mode", "currency", "created_at", "version", "id")),
        (gettext_lazy("Gate"), ("restricted", "means_as_of", "rate_reset_at")),
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each account how many orders are open, and the kill switch that stops it."""
        super().prepare_rows(request, rows)
        open_orders: dict[Any, int] = {}
        ids = [row.pk for row in rows]
        for risk_account_id in Order.objects.filter(risk_account_id__in=ids, status__in=OPEN_STATES).values_list(
            "risk_account_id", flat=True
        ):
            open_orders[risk_account_id] = open_orders.get(risk_account_id, 0) + 1
        switches = kill_switches(tenant_ids={row.tenant_id for row in rows})
        for row in rows:
            row.open_orders = open_orders.get(row.pk, 0)
            row.stop = switches.stop_of(row)

    @column(gettext_lazy("account"))
    def what(self, account: RiskAccount) -> str:
        return str(account.account)

    @column(gettext_lazy("mode"))
    def kind(self, account: RiskAccount) -> str:
        return chip(account.get_mode_display(), "bad" if account.mode == "live" else "idle")

    @column(gettext_lazy("equity"))
    def equity_figure(self, account: RiskAccount) -> str:
        return money(account.equity, account.currency)

    @column(gettext_lazy("buying power"))
    def power_figure(self, account: RiskAccount) -> str:
        return money(account.buying_power, account.currency)

    @column(gettext_lazy("means as of"))
    def means(self, account: RiskAccount) -> str:
        return display.means_age(account)

    @column(gettext_lazy("open orders"))
    def trades_figure(self, account: Any) -> str:
        return number(account.open_orders)

    @column(gettext_lazy("trading"))
    def switch(self, account: Any) -> str:
        if account.stop:
            return chip(_stopped(account.stop), "bad")
        return chip(_("restricted by the venue"), "warn") if account.is_restricted else chip(_("open"), "ok")

    @column(gettext_lazy("account"))
    def account_fact(self, account: RiskAccount) -> str:
        return link(record_url("accounts.account", account.account_id), str(account.account))

    @column(gettext_lazy("restricted by the venue"))
    def restricted(self, account: RiskAccount) -> str:
        return chip(_("yes"), "warn") if account.is_restricted else _("no")

    def headline(self, account: RiskAccount) -> str:
        return str(account.account)

    def subtitle(self, account: RiskAccount) -> str:
        return f"{account.venue} · {account.get_mode_display()} · {account.account.external_id}"

    def status(self, account: RiskAccount) -> str:
        return self.switch(account)

    def notice(self, account: Any) -> Notice | None:
        """Say what stops the account's trading."""
        if account.stop:
            title = _("Trading is stopped: %(reason)s") % {"reason": account.stop.reason}
            text = _("By %(who)s. Every new order is denied; cancels go on.") % {"who": account.stop.changed_by}
            return Notice(title, text, _("Release the switch once the cause is gone."), "bad")
        if account.is_restricted:
            text = _("The venue lets this account not trade, so that every new order is denied.")
            return Notice(_("Restricted by the venue"), text, _("Ask the venue why."), "warn")
        return None

    def stats(self, account: Any) -> Sequence[Stat]:
        currency = account.currency
        return (
            Stat(_("Equity"), money(account.equity, currency)),
            Stat(_("Buying power"), money(account.buying_power, currency)),
            Stat(_("Cash"), money(account.cash, currency)),
            Stat(_("Means as of"), display.means_age(account)),
            Stat(_("Open orders"), number(account.open_orders)),
        )

    def panels(self, request: HttpRequest, account: RiskAccount) -> Sequence[Panel]:
        held = panels.held_by(account)
        return [
            panels.limits(account, held),
            panels.positions(account, held),
            panels.open_orders(account),
            panels.decisions(account),
        ]

    def related_links(self, account: RiskAccount) -> Sequence[tuple[str, str]]:
        return (
            (_("Account"), record_url("accounts.account", account.account_id)),
            (_("Connection"), record_url("providers.connection", account.connection_id)),
            (_("All orders"), about_url("orders.order", account)),
            (_("Fills"), about_url("orders.fill", account, account.account_id)),
            (_("Decisions"), about_url("orders.riskdecision", account, account.account_id)),
            (_("Audit log"), about_url("audit.auditentry", account)),
        )
