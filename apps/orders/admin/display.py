"""How orders look in the admin: names of states, chips, the quantity with its bar, prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self
from uuid import UUID

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.admin import (
    NOTHING,
    chip,
    duration,
    figure,
    link,
    moment,
    price,
    progress,
    quantity,
    record_url,
    sentence,
    status_chip,
    tag,
    two_lines,
)
from apps.market.enums import Freshness
from apps.market.models import Quote
from apps.market.selectors import freshness_of
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Fill, Order, Position, RiskAccount, RiskDecision
from apps.orders.rules.positions import Holding, Worth, worth


def pending_chip(order: Order) -> SafeString | str:
    """Return what the venue has yet to confirm, or nothing."""
    return chip(order.get_pending_display(), "warn") if order.pending != Pending.NONE else ""


def outcome_chip(row: RiskDecision) -> SafeString:
    """Return the chip of a gate's decision."""
    return status_chip(row, "outcome", approved="ok")


def side(row: Order | Fill) -> SafeString:
    """Return buy or sell in its colour."""
    return format_html('<span class="fo-way fo-{}">{}</span>', row.side, row.get_side_display())


def filled_of(order: Order) -> SafeString:
    """Return how much of an order is executed, as a bar and in figures."""
    text = format_html("{} <small>/ {}</small>", quantity(order.filled_quantity), quantity(order.quantity))
    return progress(order.filled_quantity / order.quantity, text)


def price_of(order: Order) -> SafeString:
    """Return the prices that an order names."""
    limit = price(order.limit_price) if order.limit_price is not None else ""
    stop = format_html("{} {}", _("stop"), price(order.stop_price)) if order.stop_price is not None else ""
    if not (limit or stop):
        return format_html('<span class="fo-nil">{}</span>', _("market"))
    return two_lines(limit or stop, stop if limit else "")


def words(order: Order) -> str:
    """Return an order in words, such as "Buy 10 XNAS:AAPL, limit 190.25"."""
    prices = [
        f"{name} {figure(value, 2)}"
        for name, value in ((_("stop"), order.stop_price), (_("limit"), order.limit_price))
        if value is not None
    ]
    head = f"{order.get_side_display()} {figure(order.quantity)} {order.instrument.key}"
    return f"{head}, {' '.join(prices) or _('at market')}"


def standing(order: Order) -> SafeString:
    """Return where an order stands: its status, what is asked for, and below it why it was refused."""
    chips = format_html("{} {}", status_chip(order), pending_chip(order))
    is_said = order.denial_code and order.status != OrderStatus.REJECTED  # whose code says no more than its status
    return two_lines(chips, tag(order.denial_code, sentence(order.denial_detail))) if is_said else chips


def instrument_link(order_like: object) -> SafeString:
    """Return a link to the instrument of an order, a fill or a position."""
    instrument = order_like.instrument  # type: ignore[attr-defined]  # what has an instrument
    return link(record_url("market.instrument", instrument.pk), instrument.key)


def value_of(price: Decimal | None, amount: Decimal) -> Decimal | None:
    """Return what an amount is worth at a price."""
    return None if price is None else price * amount


def plainly(code: str) -> str:
    """Return a code as words: "open_trade_limit" is "Open trade limit"."""
    return code.replace("_", " ").capitalize()


def lag(told: datetime, stored: datetime) -> str:
    """Return how long after the venue's own time something was stored; its clock may be ahead of ours."""
    if stored >= told:
        return duration(stored - told)
    return _("at once; the venue's clock is %(time)s ahead") % {"time": duration(told - stored)}


def old(at: datetime) -> SafeString:
    """Return how long ago something was that has grown old."""
    return format_html('<span class="fo-old">{}</span>', moment(at))


def means_age(account: RiskAccount) -> SafeString:
    """Return how old the venue's word on the means is, marked when the gate would ask anew."""
    if account.means_as_of is None:
        return chip(_("never told"), "warn")
    is_fresh = clock.now() - account.means_as_of <= timedelta(seconds=settings.MEANS_MAX_AGE_SECONDS)
    return moment(account.means_as_of) if is_fresh else old(account.means_as_of)


@dataclass(frozen=True, slots=True)
class Market:
    """What a position is worth at its venue's latest quote.

    It is shown for orientation whatever its age, which stands beside it; the gate takes fresh quotes alone.
    """

    worth: Worth
    at: datetime | None
    is_fresh: bool

    @classmethod
    def of(cls, position: Position, quotes: Mapping[tuple[UUID, str], Quote], now: datetime) -> Self:
        """Value a position, which has its risk account, at its quote if there is one."""
        quote = quotes.get((position.instrument_id, position.risk_account.venue))
        holding = Holding(position.quantity, position.average_price)
        if quote is None:
            return cls(worth(holding, bid=None, ask=None), None, is_fresh=False)
        fresh = freshness_of(quote, now=now) == Freshness.FRESH
        return cls(worth(holding, bid=quote.bid, ask=quote.ask), quote.venue_at, fresh)

    def price_cell(self) -> SafeString:
        """Return the price, with its age where it has grown old."""
        if self.worth.price is None:
            return NOTHING
        return two_lines(price(self.worth.price), "" if self.is_fresh else moment(self.at))
