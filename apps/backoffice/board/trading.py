"""Trading on the dashboard."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.backoffice.board.charts import Chart, Series, chart
from apps.backoffice.board.durations import quantile
from apps.backoffice.selectors.trading import ENDED, Trading
from apps.core.admin import (
    Stat,
    Table,
    bar,
    changelist_url,
    chip,
    clock_time,
    duration,
    link,
    moment,
    money,
    number,
    record_url,
)
from apps.orders.admin import display
from apps.orders.enums import OrderStatus
from apps.orders.models import RiskAccount
from apps.orders.selectors import Switches

_SLOW = timedelta(seconds=2)
_SERIES = (
    Series("filled", gettext_lazy("filled"), "ok"),
    Series("open", gettext_lazy("open"), "run"),
    Series(ENDED, gettext_lazy("ended"), "idle"),
    Series("denied", gettext_lazy("denied"), "warn"),
    Series("trouble", gettext_lazy("rejected, lost or unknown"), "bad"),
)


def tiles(trading: Trading) -> list[Stat]:
    """Return the numbers of trading."""
    day, unknown = _("24 h"), len(trading.unknown)
    middle = quantile(trading.to_venue, 0.5)
    return [
        Stat(
            _("Orders") + f" · {day}",
            number(sum(trading.statuses.values())),
            _("%(filled)s filled, %(denied)s denied")
            % {
                "filled": number(trading.statuses.get(OrderStatus.FILLED, 0)),
                "denied": number(trading.statuses.get(OrderStatus.DENIED, 0)),
            },
            "idle",
            changelist_url("orders.order"),
        ),
        Stat(
            _("Open orders"),
            number(trading.open_orders),
            _("%(count)s of unknown outcome") % {"count": number(unknown)} if unknown else _("every outcome known"),
            "bad" if unknown else "ok",
            changelist_url("orders.order", standing="open"),
        ),
        Stat(
            _("At the venue after"),
            duration(middle),
            _("95 %% within %(high)s") % {"high": duration(quantile(trading.to_venue, 0.95))}
            if middle is not None
            else _("none got there yet"),
            "warn" if middle is not None and middle > _SLOW else "ok",
            changelist_url("orders.order"),
        ),
        Stat(
            _("Trading accounts"),
            number(trading.account_count),
            _stops(trading.switches),
            "bad" if trading.switches.engaged else "ok",
            changelist_url("orders.riskaccount"),
        ),
    ]


def _stops(switches: Switches) -> str:
    if switches.are_all_stopped:
        return _("all are stopped")
    engaged = len(switches.engaged)
    return _("switches engaged: %(count)s") % {"count": engaged} if engaged else _("none is stopped")


def chart_of(trading: Trading) -> Chart:
    """Return the day's orders by outcome."""
    empty = _("No order in the last 24 hours. Clients place them through POST /api/v1/orders.")
    return chart(_("Orders by hour"), _SERIES, trading.hours, empty=empty)


def latest_orders(trading: Trading, tenants: Mapping[UUID, str]) -> Table:
    """Return the newest orders."""
    rows = [
        [
            clock_time(order.created_at),
            link(record_url("orders.order", order.pk), order.instrument.key),
            chip(tenants.get(order.tenant_id, "")),
            display.side(order),
            display.filled_of(order),
            display.price_of(order),
            display.standing(order),
        ]
        for order in trading.latest
    ]
    headers = [_("time (UTC)"), _("order"), _("tenant"), _("side"), _("filled"), _("price"), _("status")]
    return Table(
        _("Latest orders"),
        headers,
        rows,
        _("None yet. A client places the first through the API; it shows up here at once."),
        numeric=frozenset({4, 5}),
        more_url=changelist_url("orders.order"),
        more_label=_("Blotter"),
    )


def accounts(trading: Trading, tenants: Mapping[UUID, str]) -> Table:
    """Return the accounts that trade, the biggest first."""
    rows = [
        [
            link(record_url("orders.riskaccount", account.pk), str(account.account)),
            chip(tenants.get(account.tenant_id, "")),
            money(account.equity, account.currency),
            money(account.buying_power, account.currency),
            display.means_age(account),
            number(trading.open_by_account.get(account.pk, 0)),
            _state(account, trading),
        ]
        for account in trading.accounts
    ]
    headers = [_("account"), _("tenant"), _("equity"), _("buying power"), _("means as of"), _("open"), _("trading")]
    return Table(
        _("Trading accounts"),
        headers,
        rows,
        _("None yet. A brokerage account comes with its connection's first sync."),
        numeric=frozenset({2, 3, 5}),
        more_url=changelist_url("orders.riskaccount"),
        more_label=_("All trading accounts"),
    )


def _state(account: RiskAccount, trading: Trading) -> SafeString:
    if trading.switches.stop_of(account):
        return chip(_("stopped"), "bad")
    return chip(_("restricted"), "warn") if account.is_restricted else chip(_("open"), "ok")


def denials(trading: Trading) -> Table:
    """Return the day's denials by code."""
    most = max((count for _code, count in trading.denials), default=0)
    rows = [
        [
            link(changelist_url("orders.riskdecision", outcome__exact="denied", code=code), display.plainly(code)),
            bar(count, most, number(count)),
        ]
        for code, count in trading.denials
    ]
    return Table(
        _("Denied in 24 h"), [_("code"), _("orders")], rows, _("The gate has denied nothing."), numeric=frozenset({1})
    )


def attention(trading: Trading) -> Sequence[Sequence[SafeString]]:
    """Return the orders that wait for their outcome."""
    return [
        [
            chip(_("unknown outcome"), "bad"),
            link(record_url("orders.order", order.pk), display.words(order)),
            moment(order.updated_at),
        ]
        for order in trading.unknown
    ]
