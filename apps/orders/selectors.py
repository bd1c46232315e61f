"""Reads of the orders room. Call them inside the tenant's scope."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from apps.accounts.enums import AccountKind, AccountStatus
from apps.accounts.models import Account
from apps.core.db.finding import get_one
from apps.core.ids import lowest_id
from apps.core.scope import of_granted_accounts
from apps.market.models import Instrument, Quote
from apps.orders.models import (
    Fill,
    InstallationKillSwitch,
    KillSwitch,
    Order,
    OrderEvent,
    Position,
    RiskAccount,
    RiskDecision,
)
from apps.orders.rules.states import OPEN_STATES

_MOST_SWITCHES = 1000
# More than an order's id and its time of creation ever differ by, from whichever servers' clocks they came.
_BETWEEN_CLOCKS = timedelta(hours=2)


def orders_for(
    *,
    tenant_id: UUID,
    account_id: UUID | None = None,
    status: str | None = None,
    instrument: str | None = None,
    client_order_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    is_open: bool | None = None,
) -> QuerySet[Order]:
    """Return the tenant's orders, narrowed down, with their instruments; `since` is inclusive, `until` exclusive."""
    rows = Order.objects.filter(tenant_id=tenant_id).select_related("instrument")
    if not is_open and status not in OPEN_STATES:  # what is open is little, and has indexes of its own
        rows = of_granted_accounts(rows)
    if is_open is not None:
        rows = rows.filter(status__in=OPEN_STATES) if is_open else rows.exclude(status__in=OPEN_STATES)
    return rows.filter(
        **_given(
            account_id=account_id,
            status=status,
            # As a value and not as a join: a rare instrument is then a range of its index.
            instrument=instrument and Subquery(Instrument.objects.filter(key=instrument).values("id")),
            client_order_id=client_order_id,
            created_at__gte=since,
            created_at__lt=until,
            # What the order of ids says as well, so that a page of long ago begins there.
            id__gte=since and lowest_id(since, shifted_by=-_BETWEEN_CLOCKS),
            id__lt=until and lowest_id(until, shifted_by=_BETWEEN_CLOCKS),
        )
    )


def get_order(*, tenant_id: UUID, order_id: UUID) -> Order:
    """Return one order with its instrument.

    Raises:
        NotFound: the tenant has no such order.
    """
    return get_one(orders_for(tenant_id=tenant_id).filter(id=order_id))


def events_of(order: Order) -> QuerySet[OrderEvent]:
    """Return what happened to an order."""
    return OrderEvent.objects.filter(tenant_id=order.tenant_id, order_id=order.id)


def fills_for(*, tenant_id: UUID, order_id: UUID | None = None, account_id: UUID | None = None) -> QuerySet[Fill]:
    """Return the tenant's executions, narrowed down, with their instruments."""
    rows = of_granted_accounts(Fill.objects.filter(tenant_id=tenant_id)).select_related("instrument")
    return rows.filter(**_given(order_id=order_id, account_id=account_id))


def positions_for(*, tenant_id: UUID, account_id: UUID | None = None) -> QuerySet[Position]:
    """Return what the tenant's accounts hold or held through their orders, with instruments and risk accounts.

    Of an account that is connected more than once, each of its rows shows the same positions.
    """
    rows = Position.objects.filter(tenant_id=tenant_id).select_related("instrument", "risk_account")
    return rows if account_id is None else rows.filter(risk_account__in=risk_accounts_of(account_id))


def risk_accounts_of(account_id: UUID) -> QuerySet[RiskAccount]:
    """Return an account's risk row, if it has one: that of the account at the venue, however often it is connected."""
    same = Account.objects.filter(id=account_id, provider=OuterRef("venue"), external_id=OuterRef("external_id"))
    return RiskAccount.objects.filter(Exists(same))


def quotes_of(positions: Sequence[Position]) -> dict[tuple[UUID, str], Quote]:
    """Return the stored quotes of positions from their own venues, by instrument and venue."""
    instruments = {row.instrument_id for row in positions}
    venues = {row.risk_account.venue for row in positions}
    rows = Quote.objects.filter(instrument_id__in=instruments, source__in=venues)
    return {(row.instrument_id, row.source): row for row in rows}


def find_only_account(*, tenant_id: UUID) -> UUID | None:
    """Return the account that an order without one means: the tenant's only open brokerage account.

    Connected more than once it is still one account; the last connection counts.
    """
    accounts = Account.objects.filter(
        tenant_id=tenant_id,
        kind=AccountKind.BROKERAGE,
        status=AccountStatus.OPEN,
        connection__deleted_at__isnull=True,
    )
    at_venues = accounts.order_by("provider", "external_id", "-id").distinct("provider", "external_id")
    found = list(at_venues.values_list("id", flat=True)[:2])
    return found[0] if len(found) == 1 else None


def decisions_for(
    *,
    tenant_id: UUID,
    account_id: UUID | None = None,
    order_id: UUID | None = None,
    outcome: str | None = None,
) -> QuerySet[RiskDecision]:
    """Return what the risk gate decided, narrowed down."""
    rows = RiskDecision.objects.filter(tenant_id=tenant_id)
    return rows.filter(**_given(account_id=account_id, order_id=order_id, outcome=outcome))


@dataclass(frozen=True, slots=True)
class Switches:
    """The kill switches that were ever touched: the installation's, and tenants' and accounts' by whose they are."""

    installation: InstallationKillSwitch | None
    owned: Mapping[tuple[UUID, UUID | None], KillSwitch]

    @property
    def engaged(self) -> Sequence[KillSwitch | InstallationKillSwitch]:
        """Return those that stop somebody."""
        return [row for row in (self.installation, *self.owned.values()) if row is not None and row.engaged]

    @property
    def are_all_stopped(self) -> bool:
        """Tell whether nobody can trade."""
        return self.installation is not None and self.installation.engaged

    def is_tenant_stopped(self, tenant_id: UUID) -> bool:
        """Tell whether a tenant's own switch is engaged."""
        return (tenant_id, None) in self.owned and self.owned[tenant_id, None].engaged

    def stop_of(self, account: RiskAccount) -> KillSwitch | InstallationKillSwitch | None:
        """Return the switch that stops an account, the nearest first: its own, its tenant's, the installation's."""
        own, tenants = ((account.tenant_id, account_id) for account_id in (account.account_id, None))
        nearest = (self.owned.get(own), self.owned.get(tenants), self.installation)
        return next((row for row in nearest if row is not None and row.engaged), None)


def kill_switches(*, tenant_ids: Collection[UUID] | None = None) -> Switches:
    """Return the installation's switch and those of some tenants or of all; what is engaged comes before the bound."""
    rows = KillSwitch.objects.order_by("-engaged", "-updated_at")
    rows = rows if tenant_ids is None else rows.filter(tenant_id__in=tenant_ids)
    owned = {(row.tenant_id, row.account_id): row for row in rows[:_MOST_SWITCHES]}
    return Switches(InstallationKillSwitch.objects.first(), owned)


def _given(**filters: Any) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}
