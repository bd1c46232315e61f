"""Orders of the last day, what is open now, and the accounts that trade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, QuerySet

from apps.backoffice.selectors.hours import counts_by_hour, day_of
from apps.core.ids import lowest_id
from apps.orders.enums import OrderStatus
from apps.orders.models import Order, RiskAccount
from apps.orders.rules.states import OPEN_STATES
from apps.orders.selectors import Switches, kill_switches

_LATEST, _ACCOUNTS, _TIMED, _CODES = 8, 6, 500, 6

# How a day's orders are told apart at a glance.
OUTCOMES: Mapping[str, str] = {
    **dict.fromkeys(OPEN_STATES, "open"),
    OrderStatus.FILLED: "filled",
    OrderStatus.DENIED: "denied",
    OrderStatus.REJECTED: "trouble",
    OrderStatus.UNKNOWN: "trouble",
    OrderStatus.LOST: "trouble",
}
ENDED = "ended"  # canceled, expired, replaced, done for the day


@dataclass(frozen=True, slots=True)
class Trading:
    """How trading goes. `hours` are counts by outcome; `to_venue` are the newest orders' times to the venue's word."""

    hours: Sequence[tuple[datetime, Mapping[str, int]]]
    statuses: Mapping[str, int]
    denials: Sequence[tuple[str, int]]
    to_venue: Sequence[timedelta]
    open_orders: int
    unknown: Sequence[Order]
    latest: Sequence[Order]
    accounts: Sequence[RiskAccount]
    account_count: int
    open_by_account: Mapping[UUID, int]
    switches: Switches

    @property
    def rows(self) -> list[Any]:
        """Return what belongs to a tenant that is named."""
        return [*self.latest, *self.accounts, *self.unknown]


def trading(*, now: datetime) -> Trading:
    """Return how trading goes; call it in a staff scope."""
    hours = day_of(now)
    today = Order.objects.filter(id__gte=lowest_id(hours[0]))
    newest = Order.objects.select_related("instrument", "account", "risk_account").order_by("-id")
    accounts = RiskAccount.objects.select_related("account").order_by(F("equity").desc(nulls_last=True), "id")
    open_by_account = _open_by_account()
    by_hour, statuses = counts_by_hour(today, hours, lambda status: OUTCOMES.get(status, ENDED))
    return Trading(
        hours=by_hour,
        statuses=statuses,
        denials=_denials(today),
        to_venue=_to_venue(today),
        open_orders=sum(open_by_account.values()),
        unknown=list(newest.filter(status=OrderStatus.UNKNOWN)[:_CODES]),
        latest=list(newest[:_LATEST]),
        accounts=list(accounts[:_ACCOUNTS]),
        account_count=RiskAccount.objects.count(),
        open_by_account=open_by_account,
        switches=kill_switches(),
    )


def _denials(today: "QuerySet[Order]") -> list[tuple[str, int]]:
    denied = today.filter(status=OrderStatus.DENIED).values("denial_code").annotate(count=Count("id"))
    return list(denied.order_by("-count", "denial_code").values_list("denial_code", "count")[:_CODES])


def _to_venue(today: "QuerySet[Order]") -> list[timedelta]:
    """Return how long the newest orders that the venue has took from their acceptance by us to its word."""
    there = today.filter(accepted_at__isnull=False).order_by("-id").values_list("created_at", "accepted_at")
    return [accepted - created for created, accepted in there[:_TIMED] if accepted is not None]


def _open_by_account() -> dict[UUID, int]:
    rows = Order.objects.filter(status__in=OPEN_STATES).values("risk_account_id").annotate(count=Count("id")).order_by()
    return {row["risk_account_id"]: row["count"] for row in rows}
