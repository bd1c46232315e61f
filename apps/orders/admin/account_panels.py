"""What a trading account's page shows: limits beside their use, positions, open orders, decisions."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.admin import (
    NOTHING,
    Table,
    about_url,
    average,
    changelist_url,
    chip,
    clock_time,
    link,
    money,
    number,
    percent,
    quantity,
    record_url,
    sentence,
    tag,
    two_lines,
)
from apps.orders.admin import display
from apps.orders.models import Order, Position, RiskAccount, RiskDecision
from apps.orders.rules.states import OPEN_STATES
from apps.orders.selectors import quotes_of

_SHOWN, _LATEST = 50, 8

Held = Sequence[tuple[Position, display.Market]]


def held_by(account: RiskAccount) -> Held:
    """Return the account's positions that are not flat, each with what it is worth."""
    found = Position.objects.filter(tenant_id=account.tenant_id, risk_account=account).exclude(quantity=0)
    rows = list(found.select_related("instrument", "risk_account").order_by("-updated_at")[:_SHOWN])
    quotes, now = quotes_of(rows), clock.now()
    return [(row, display.Market.of(row, quotes, now)) for row in rows]


def limits(account: RiskAccount, held: Held) -> Table:
    """Return each limit beside what is used of it, as far as a page can tell: the gate counts exactly."""
    others = Order.objects.filter(tenant_id=account.tenant_id, risk_account=account, status__in=OPEN_STATES)
    trades = {item.instrument_id for item, _market in held} | set(others.values_list("instrument_id", flat=True))
    values = [abs(market.worth.value) for _item, market in held if market.worth.value is not None]
    biggest = max(values, default=None)
    share = biggest / account.equity if biggest is not None and account.equity else None
    most = account.max_open_trades
    rows = [
        [_("Open trades"), number(most), two_lines(number(len(trades)), _("instruments held or worked"))],
        [
            _("Value of one position"),
            money(account.max_position_value, account.currency),
            money(biggest, account.currency),
        ],
        [_("Share of equity in one instrument"), percent(account.max_concentration), percent(share)],
        [_("Orders a minute"), number(account.max_orders_per_minute), NOTHING],
    ]
    headers = [_("limit"), _("at most"), _("now")]
    return Table(_("Limits"), headers, rows, empty="", numeric=frozenset({1, 2}))


def positions(account: RiskAccount, held: Held) -> Table:
    """Return what the account holds, and what that is worth."""
    currency = account.currency
    rows = []
    for item, market in held:
        rows.append(
            [
                link(record_url("orders.position", item.pk), item.instrument.key),
                quantity(item.quantity),
                average(item.average_price),
                market.price_cell(),
                money(market.worth.value, currency),
                money(market.worth.unrealized, currency, signed=True),
            ]
        )
    headers = [_("instrument"), _("quantity"), _("average"), _("market"), _("value"), _("unrealised P&L")]
    return Table(
        _("Positions"), headers, rows, _("It holds nothing through orders of ours."), frozenset({1, 2, 3, 4, 5})
    )


def open_orders(account: RiskAccount) -> Table:
    """Return the orders that can still execute."""
    orders = Order.objects.filter(tenant_id=account.tenant_id, risk_account=account, status__in=OPEN_STATES)
    rows = [
        [
            clock_time(order.created_at),
            link(record_url("orders.order", order.pk), display.words(order)),
            display.filled_of(order),
            display.standing(order),
            money(order.reserved, account.currency),
        ]
        for order in orders.select_related("instrument").order_by("-id")[:_SHOWN]
    ]
    headers = [_("time (UTC)"), _("order"), _("filled"), _("status"), _("reserved")]
    return Table(
        _("Open orders"),
        headers,
        rows,
        _("No order is open."),
        numeric=frozenset({4}),
        more_url=about_url("orders.order", account),
        more_label=_("All orders"),
    )


def decisions(account: RiskAccount) -> Table:
    """Return what the gate decided last."""
    decided = RiskDecision.objects.filter(tenant_id=account.tenant_id, account_id=account.account_id)
    rows = [
        [
            link(record_url("orders.riskdecision", row.pk), clock_time(row.decided_at)),
            display.outcome_chip(row),
            tag(row.code, sentence(row.detail)),
            chip(_("dry run"))
            if row.order is None
            else link(record_url("orders.order", row.order_id), display.words(row.order)),
        ]
        for row in decided.select_related("order__instrument").order_by("-id")[:_LATEST]
    ]
    return Table(
        _("Latest decisions"),
        [_("time (UTC)"), _("outcome"), _("code"), _("order")],
        rows,
        _("The gate has decided nothing for this account yet."),
        more_url=changelist_url("orders.riskdecision", tenant=account.tenant_id, q=account.account_id),
        more_label=_("All decisions"),
    )
