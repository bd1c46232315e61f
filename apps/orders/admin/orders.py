"""The blotter and an order's page."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
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
    Table,
    TenantFilter,
    TimeFilter,
    about_url,
    average,
    clock_time,
    column,
    duration,
    link,
    moment,
    money,
    record_url,
    sentence,
    status_chip,
    two_lines,
)
from apps.incidents.enums import STANDING_STATES
from apps.orders.admin import display
from apps.orders.admin.canceling import chosen_orders, what_a_cancel_does
from apps.orders.admin.filters import STANDING_FILTER
from apps.orders.admin.order_panels import chain_of, chain_table, fills_of, fills_table, standing_incidents
from apps.orders.admin.timeline import has_another_at_venue, incidents_of, timeline_of
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order
from apps.orders.rules.states import OPEN_STATES
from apps.orders.services.requests import request_cancel
from apps.orders.services.resolving import LOOKUPS_BEFORE_LOST, declare_lost

CANCELED = Outcome(message("%(count)s cancel asked for"), message("%(count)s cancels asked for"))
LOST = Outcome(message("%(count)s order declared lost"), message("%(count)s orders declared lost"))


def _cancel(order: Order, actor: Actor, now: datetime, reason: str) -> Outcome:
    request_cancel(order_id=order.pk, reason=reason, actor=actor, now=now)
    return CANCELED


def _lose(order: Order, actor: Actor, now: datetime, reason: str) -> Outcome:
    declare_lost(order_id=order.pk, reason=reason, actor=actor, now=now)
    return LOST


def _may_be_lost(order: Order) -> bool:
    return order.status == OrderStatus.UNKNOWN and order.lookups >= LOOKUPS_BEFORE_LOST


@admin.register(Order)
class OrderAdmin(StaffModelAdmin):
    plural = gettext_lazy("blotter")
    list_is_live = page_is_live = True
    list_display = (
        "placed",
        "what",
        "tenant",
        "of_account",
        "way",
        "kind",
        "filled_figure",
        "price_figure",
        "average_figure",
        "state",
    )
    list_filter = (TenantFilter, TimeFilter, "status", STANDING_FILTER, "side")
    list_select_related = ("instrument", "account", "risk_account")
    list_display_links = ("what",)
    search_fields = ("client_order_id__startswith", "venue_order_id__exact", "symbol__iexact")
    search_ids = ("id", "account_id", "risk_account_id", "instrument_id", "client_order_id", "venue_order_id")
    search_help_text = gettext_lazy("Client or venue order id, symbol, or an id")
    empty_hint = gettext_lazy("Orders come in through POST /api/v1/orders. The risk gate decides each at once.")
    service_actions = (
        ServiceAction(
            name="cancel",
            label=gettext_lazy("Cancel order"),
            icon="cancel",
            run=_cancel,
            foretell=what_a_cancel_does,
            needs_reason=True,
            danger=True,
            available=lambda order: order.status in OPEN_STATES and order.pending == Pending.NONE,
        ),
        ServiceAction(
            name="declare_lost",
            label=gettext_lazy("Declare lost"),
            icon="report_off",
            run=_lose,
            confirm=gettext_lazy(
                "Only if the venue itself has told you that it has no such order, or that the one under its id is "
                "another: the account then takes new risk again. Should the venue find it after all, what it executed "
                "is stored and an incident opens."
            ),
            needs_reason=True,
            danger=True,
            available=_may_be_lost,
        ),
    )
    facts = (
        (
            gettext_lazy("Order"),
            ("instrument_fact", "account_fact", "venue_fact", "time_fact", "client_order_id", "venue_order_id"),
        ),
        (gettext_lazy("Times"), ("created_at", "submitted_at", "accepted_at", "closed_at", "updated_at")),
        (gettext_lazy("Record"), ("reserved_fact", "lookups", "version", "id")),
    )

    # The blotter.

    @column(gettext_lazy("time (UTC)"))
    def placed(self, order: Order) -> str:
        return clock_time(order.created_at)

    @column(gettext_lazy("order"))
    def what(self, order: Order) -> str:
        return two_lines(order.instrument.key, order.client_order_id)

    @column(gettext_lazy("account"))
    def of_account(self, order: Order) -> str:
        return link(record_url("orders.riskaccount", order.risk_account_id), str(order.account))

    @column(gettext_lazy("side"))
    def way(self, order: Order) -> str:
        return display.side(order)

    @column(gettext_lazy("type"))
    def kind(self, order: Order) -> str:
        return two_lines(order.get_type_display(), order.time_in_force.upper())

    @column(gettext_lazy("filled"))
    def filled_figure(self, order: Order) -> str:
        return display.filled_of(order)

    @column(gettext_lazy("price"))
    def price_figure(self, order: Order) -> str:
        return display.price_of(order)

    @column(gettext_lazy("average"))
    def average_figure(self, order: Order) -> str:
        return average(order.average_fill_price)

    @column(gettext_lazy("status"))
    def state(self, order: Order) -> str:
        return display.standing(order)

    def chosen(self, objects: Sequence[Order]) -> Table:
        """Return each order that an action is about to work on."""
        return chosen_orders(objects)

    # An order's page.

    @column(gettext_lazy("instrument"))
    def instrument_fact(self, order: Order) -> str:
        return display.instrument_link(order)

    @column(gettext_lazy("account"))
    def account_fact(self, order: Order) -> str:
        return self.of_account(order)

    @column(gettext_lazy("venue"))
    def venue_fact(self, order: Order) -> str:
        return f"{order.risk_account.venue} · {order.get_mode_display()}"

    @column(gettext_lazy("in force"))
    def time_fact(self, order: Order) -> str:
        return order.get_time_in_force_display()

    @column(gettext_lazy("reserved"))
    def reserved_fact(self, order: Order) -> str:
        return money(order.reserved, order.risk_account.currency)

    def headline(self, order: Order) -> str:
        return display.words(order)

    def subtitle(self, order: Order) -> str:
        return f"{order.client_order_id} · {order.account}"

    def status(self, order: Order) -> str:
        return format_html("{} {}", status_chip(order), display.pending_chip(order))

    def is_moving(self, order: Order) -> bool:
        return order.status in OPEN_STATES

    def notice(self, order: Order) -> Notice | None:
        """Say what stands in the order's way, and who has to do what."""
        return _NOTICES[order.status](order) if order.status in _NOTICES else None

    def stats(self, order: Order) -> Sequence[Stat]:
        currency = order.risk_account.currency
        executed = display.value_of(order.average_fill_price, order.filled_quantity)
        sent = None if order.submitted_at is None else order.submitted_at - order.created_at
        took = (
            None if order.accepted_at is None or order.submitted_at is None else order.accepted_at - order.submitted_at
        )
        return (
            Stat(_("Filled"), display.filled_of(order)),
            Stat(_("Price"), display.price_of(order)),
            Stat(_("Average fill price"), average(order.average_fill_price)),
            Stat(_("Executed value"), money(executed, currency)),
            Stat(_("To the venue"), _sum(sent, took), _split(sent, took)),
            Stat(*_age(order)),
        )

    def panels(self, request: HttpRequest, order: Order) -> Sequence[Panel]:
        incidents, fills = incidents_of(order), fills_of(order)
        is_standing = any(row.state in STANDING_STATES for row in incidents)
        panels: list[Panel] = [standing_incidents(incidents)] if is_standing else []
        panels += [timeline_of(order, fills, incidents), fills_table(order, fills)]
        chain = chain_of(order)
        return [*panels, chain_table(chain, order)] if len(chain) > 1 else panels

    def related_links(self, order: Order) -> Sequence[tuple[str, str]]:
        return (
            (_("Trading account"), record_url("orders.riskaccount", order.risk_account_id)),
            (_("Account"), record_url("accounts.account", order.account_id)),
            (_("Orders of this account"), about_url("orders.order", order, order.risk_account_id)),
            (_("Events"), about_url("outbox.outboxevent", order)),
            (_("Audit log"), about_url("audit.auditentry", order)),
        )


def _age(order: Order) -> tuple[str, str]:
    if order.closed_at is None:
        return _("Placed"), moment(order.created_at)
    return _("Closed"), moment(order.closed_at)


def _sum(sent: timedelta | None, took: timedelta | None) -> str:
    return duration(None if sent is None else sent + (took or timedelta(0)))


def _split(sent: timedelta | None, took: timedelta | None) -> str:
    if sent is None or took is None:
        return ""
    return _("%(ours)s here, %(theirs)s there") % {"ours": duration(sent), "theirs": duration(took)}


def _denied(order: Order) -> Notice:
    title = _("Denied: %(code)s") % {"code": display.plainly(order.denial_code)}
    # What denies an order after the gate has approved it may use the gate's own codes: the decisions tell.
    is_gates = order.decisions.filter(code=order.denial_code).exists()
    remedy = _("The checks below show what the gate saw.") if is_gates else ""
    return Notice(title, sentence(order.denial_detail), remedy, "warn")


def _unknown(order: Order) -> Notice:
    text = _("The venue may or may not have the order. It is looked up by its client order id, and never sent again.")
    waiting = _("The account takes no new risk until then. %(count)s of %(needed)s look-ups found nothing so far.")
    asking = _("Ask the venue for the client order id. If it has no such order, declare this one lost.")
    counts = {"count": order.lookups, "needed": LOOKUPS_BEFORE_LOST}
    if has_another_at_venue(order):
        text = _("The venue has another order under this one's client order id: the incident says how they differ.")
        asking = _(
            "Ask the client who placed that one. If it is not this order, declare this one lost. If it is, cancel it "
            "at the venue first: nothing that it executes is taken over here."
        )
    return Notice(_("The outcome is not known"), text, asking if _may_be_lost(order) else waiting % counts, "bad")


def _lost(_order: Order) -> Notice:
    return Notice(
        _("Declared lost"),
        _("The venue said again and again that it has no such order, and a person has taken its word."),
        _("Should the venue ever show it after all, its fills are stored and an incident opens."),
        "bad",
    )


def _rejected(order: Order) -> Notice:
    return Notice(
        _("Rejected by the venue"), sentence(order.denial_detail), _("It executed nothing and holds nothing."), "warn"
    )


_NOTICES = {
    OrderStatus.DENIED: _denied,
    OrderStatus.UNKNOWN: _unknown,
    OrderStatus.LOST: _lost,
    OrderStatus.REJECTED: _rejected,
}
