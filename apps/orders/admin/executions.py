"""Fills and positions."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    NOTHING,
    Notice,
    Panel,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    TimeFilter,
    about_url,
    average,
    chip,
    clock_time,
    column,
    link,
    moment,
    money,
    one_of,
    price,
    quantity,
    record_url,
)
from apps.orders.admin import display
from apps.orders.models import Fill, Position
from apps.orders.selectors import quotes_of

_LATEST = 20


@admin.register(Fill)
class FillAdmin(StaffModelAdmin):
    list_is_live = True
    list_display = (
        "executed",
        "what",
        "tenant",
        "of_account",
        "way",
        "quantity_figure",
        "price_figure",
        "value_figure",
        "fee_figure",
        "pnl_figure",
        "late",
    )
    list_display_links = ("what",)
    list_filter = (TenantFilter, TimeFilter, "side", "is_late")
    list_select_related = ("instrument", "account", "order__risk_account")
    search_fields = ("venue_execution_id__exact",)
    search_ids = ("id", "order_id", "account_id", "instrument_id", "venue_execution_id")
    search_help_text = gettext_lazy("Execution id, or an id")
    empty_hint = gettext_lazy("A fill is stored once, whether the venue's stream or a later look brings it.")
    facts = (
        (gettext_lazy("Fill"), ("venue_execution_id", "filled_at", "created_at", "lag", "is_late", "id")),
        (gettext_lazy("Order"), ("order_fact", "account_fact")),
    )

    @column(gettext_lazy("time (UTC)"))
    def executed(self, fill: Fill) -> str:
        return clock_time(fill.filled_at)

    @column(gettext_lazy("instrument"))
    def what(self, fill: Fill) -> str:
        return fill.instrument.key

    @column(gettext_lazy("account"))
    def of_account(self, fill: Fill) -> str:
        return link(record_url("orders.riskaccount", fill.order.risk_account_id), str(fill.account))

    @column(gettext_lazy("side"))
    def way(self, fill: Fill) -> str:
        return display.side(fill)

    @column(gettext_lazy("quantity"))
    def quantity_figure(self, fill: Fill) -> str:
        return quantity(fill.quantity)

    @column(gettext_lazy("price"))
    def price_figure(self, fill: Fill) -> str:
        return price(fill.price)

    @column(gettext_lazy("value"))
    def value_figure(self, fill: Fill) -> str:
        return money(fill.quantity * fill.price, self._currency(fill))

    @column(gettext_lazy("fee"))
    def fee_figure(self, fill: Fill) -> str:
        return money(fill.fee, self._currency(fill)) if fill.fee else NOTHING

    @column(gettext_lazy("realised P&L"))
    def pnl_figure(self, fill: Fill) -> str:
        return money(fill.realized_pnl, self._currency(fill), signed=True) if fill.realized_pnl else NOTHING

    @column(gettext_lazy("late"))
    def late(self, fill: Fill) -> str:
        return chip(_("late"), "bad") if fill.is_late else ""

    @column(gettext_lazy("stored after"))
    def lag(self, fill: Fill) -> str:
        return display.lag(fill.filled_at, fill.created_at)

    @column(gettext_lazy("order"))
    def order_fact(self, fill: Fill) -> str:
        return link(record_url("orders.order", fill.order_id), fill.order.client_order_id)

    @column(gettext_lazy("account"))
    def account_fact(self, fill: Fill) -> str:
        return self.of_account(fill)

    def _currency(self, fill: Fill) -> str:
        return str(fill.order.risk_account.currency)

    def headline(self, fill: Fill) -> str:
        return f"{fill.get_side_display()} {fill} · {fill.instrument.key}"

    def subtitle(self, fill: Fill) -> str:
        return fill.venue_execution_id

    def status(self, fill: Fill) -> str:
        return self.late(fill)

    def notice(self, fill: Fill) -> Notice | None:
        """Warn about an execution that came after its order's end."""
        if not fill.is_late:
            return None
        text = _("The order had come to its end before the venue told of this execution. It counts all the same.")
        return Notice(_("A late fill"), text, _("Compare the position with the venue's."), "bad")

    def stats(self, fill: Fill) -> Sequence[Stat]:
        return (
            Stat(_("Quantity"), quantity(fill.quantity)),
            Stat(_("Price"), price(fill.price)),
            Stat(_("Value"), self.value_figure(fill)),
            Stat(_("Realised P&L"), self.pnl_figure(fill)),
            Stat(_("Executed"), moment(fill.filled_at)),
        )

    def related_links(self, fill: Fill) -> Sequence[tuple[str, str]]:
        return (
            (_("Order"), record_url("orders.order", fill.order_id)),
            (_("Fills of this order"), about_url("orders.fill", fill, fill.order_id)),
            (_("Instrument"), record_url("market.instrument", fill.instrument_id)),
            (_("Trading account"), record_url("orders.riskaccount", fill.order.risk_account_id)),
        )


HOLDING_FILTER = one_of(
    "holding",
    gettext_lazy("holding"),
    {
        "long": (gettext_lazy("Long"), Q(quantity__gt=0)),
        "short": (gettext_lazy("Short"), Q(quantity__lt=0)),
        "flat": (gettext_lazy("Flat"), Q(quantity=0)),
    },
)


@admin.register(Position)
class PositionAdmin(StaffModelAdmin):
    list_is_live = page_is_live = True
    list_display = (
        "what",
        "tenant",
        "of_account",
        "quantity_figure",
        "average_figure",
        "market_figure",
        "value_figure",
        "unrealized_figure",
        "realized_figure",
        "changed",
    )
    list_filter = (TenantFilter, HOLDING_FILTER)
    list_select_related = ("instrument", "risk_account__account")
    search_fields = ("instrument__symbol__iexact", "instrument__key__exact")
    search_ids = ("id", "risk_account__account_id", "risk_account_id", "instrument_id")
    search_help_text = gettext_lazy("Symbol, instrument key, or an id")
    empty_hint = gettext_lazy("Positions follow the fills of orders. What was held before is under Holdings.")
    facts = ((gettext_lazy("Position"), ("account_fact", "created_at", "updated_at", "version", "id")),)

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach the latest price to each position."""
        super().prepare_rows(request, rows)
        quotes, now = quotes_of(rows), clock.now()
        for row in rows:
            row.market = display.Market.of(row, quotes, now)

    @column(gettext_lazy("instrument"))
    def what(self, position: Position) -> str:
        return position.instrument.key

    @column(gettext_lazy("account"))
    def of_account(self, position: Position) -> str:
        return link(record_url("orders.riskaccount", position.risk_account_id), str(position.risk_account.account))

    @column(gettext_lazy("quantity"))
    def quantity_figure(self, position: Position) -> str:
        return quantity(position.quantity)

    @column(gettext_lazy("average price"))
    def average_figure(self, position: Position) -> str:
        return average(position.average_price) if position.quantity else NOTHING

    @column(gettext_lazy("market price"))
    def market_figure(self, position: Any) -> str:
        cell: str = position.market.price_cell()
        return cell

    @column(gettext_lazy("market value"))
    def value_figure(self, position: Any) -> str:
        return money(position.market.worth.value, position.risk_account.currency)

    @column(gettext_lazy("unrealised P&L"))
    def unrealized_figure(self, position: Any) -> str:
        return money(position.market.worth.unrealized, position.risk_account.currency, signed=True)

    @column(gettext_lazy("realised P&L"))
    def realized_figure(self, position: Position) -> str:
        return money(position.realized_pnl, position.risk_account.currency, signed=True)

    @column(gettext_lazy("last change"))
    def changed(self, position: Position) -> str:
        return moment(position.updated_at)

    @column(gettext_lazy("account"))
    def account_fact(self, position: Position) -> str:
        return self.of_account(position)

    def headline(self, position: Position) -> str:
        return position.instrument.key

    def subtitle(self, position: Position) -> str:
        return str(position.risk_account.account)

    def status(self, position: Position) -> str:
        if position.quantity == 0:
            return chip(_("Flat"))
        return chip(_("Long"), "ok") if position.quantity > 0 else chip(_("Short"), "warn")

    def stats(self, position: Any) -> Sequence[Stat]:
        return (
            Stat(_("Quantity"), quantity(position.quantity)),
            Stat(_("Average price"), self.average_figure(position)),
            Stat(_("Market price"), self.market_figure(position)),
            Stat(_("Market value"), self.value_figure(position)),
            Stat(_("Unrealised P&L"), self.unrealized_figure(position)),
            Stat(_("Realised P&L"), self.realized_figure(position)),
        )

    def panels(self, request: HttpRequest, position: Position) -> Sequence[Panel]:
        fills = Fill.objects.filter(
            tenant_id=position.tenant_id, risk_account_id=position.risk_account_id, instrument_id=position.instrument_id
        ).select_related("order")
        currency = position.risk_account.currency
        rows = [
            [
                link(record_url("orders.fill", fill.pk), clock_time(fill.filled_at)),
                display.side(fill),
                quantity(fill.quantity),
                price(fill.price),
                money(fill.realized_pnl, currency, signed=True) if fill.realized_pnl else NOTHING,
                link(record_url("orders.order", fill.order_id), fill.order.client_order_id),
            ]
            for fill in fills.order_by("-id")[:_LATEST]
        ]
        headers = [_("time (UTC)"), _("side"), _("quantity"), _("price"), _("realised P&L"), _("order")]
        return [Table(_("Latest fills"), headers, rows, _("No fill yet."), numeric=frozenset({2, 3, 4}))]

    def related_links(self, position: Position) -> Sequence[tuple[str, str]]:
        return (
            (_("Trading account"), record_url("orders.riskaccount", position.risk_account_id)),
            (_("Instrument"), record_url("market.instrument", position.instrument_id)),
            (_("Fills of this account"), about_url("orders.fill", position, position.risk_account.account_id)),
            (_("Audit log"), about_url("audit.auditentry", position)),
        )
