"""Trading desks for tests: an account that may trade, with fresh inputs for the gate, and orders; nobody is asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.accounts.models import Account
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.canonical import jsonable
from apps.core.ids import new_id
from apps.core.scope import tenant_scope, write_scope
from apps.market.models import Listing
from apps.orders.enums import OrderStatus, SwitchScope
from apps.orders.events import STATUS_EVENTS, order_event_data
from apps.orders.models import Fill, Order, OrderEvent, Position, RiskAccount, RiskDecision
from apps.orders.services.accounts import ensure_risk_account
from apps.orders.services.kill_switch import set_kill_switch
from apps.providers.models import Connection
from apps.providers.services import create_connection
from apps.tenants.models import Tenant
from tests.factories.accounts import make_account
from tests.factories.market import make_clock, make_listing, make_quote

KEY_ID = "PKTESTDESK"


@dataclass(frozen=True, slots=True)
class Desk:
    """A paper account at Alpaca and one of its instruments."""

    tenant: Tenant
    connection: Connection
    account: Account
    risk_account: RiskAccount
    listing: Listing

    @property
    def actor(self) -> Actor:
        """Somebody of the tenant."""
        return system_actor("tests", tenant_id=self.tenant.id)


def make_trading_account(tenant: Tenant, *, key_id: str = KEY_ID, **values: Any) -> Account:
    """Create an open paper account at Alpaca with its connection; its first sync is queued, not run."""
    connection = create_connection(
        provider="alpaca",
        credentials={"key_id": key_id, "secret_key": "secret"},
        label="Broker",
        actor=system_actor("tests", tenant_id=tenant.id),
        now=clock.now(),
    )
    defaults = {"kind": "brokerage", "subtype": "margin", "mode": "paper", "name": "Paper desk", "last_four": ""}
    return make_account(tenant, connection=connection, **{**defaults, **values})


def make_desk(
    tenant: Tenant,
    key: str = "XNAS:AAPL",
    *,
    bid: str = "189.98",
    ask: str = "190.02",
    key_id: str = KEY_ID,
    **limits: Any,
) -> Desk:
    """Create a desk for which every input of the gate is fresh: means of 100,000, twice as much buying power."""
    account = make_trading_account(tenant, key_id=key_id)
    actor, now = system_actor("tests", tenant_id=tenant.id), clock.now()
    risk_account = ensure_risk_account(account_id=account.id, actor=actor, now=now)
    listing = Listing.objects.filter(venue="alpaca", instrument__key=key).first() or make_listing(key)
    make_quote(listing, bid, ask)
    make_clock()
    desk = Desk(tenant, account.connection, account, risk_account, listing)
    set_means(desk, **limits)
    return desk


def set_means(desk: Desk, *, age_seconds: float = 0, **values: Any) -> None:
    """Set what the desk's risk row says, as of so many seconds ago."""
    columns: dict[str, Any] = {
        "equity": Decimal(100_000),
        "cash": Decimal(100_000),
        "buying_power": Decimal(200_000),
        "means_as_of": clock.now() - timedelta(seconds=age_seconds),
        **values,
    }
    with write_scope(desk.actor):
        RiskAccount.objects.filter(id=desk.risk_account.id).update(**columns)
        desk.risk_account.refresh_from_db()


def refresh_inputs(desk: Desk) -> None:
    """Make quote, clock and means of now; prices and amounts stay as they are."""
    now = clock.now()
    make_quote(desk.listing)
    make_clock()
    with write_scope(desk.actor):
        RiskAccount.objects.filter(id=desk.risk_account.id).update(means_as_of=now)


def make_position(desk: Desk, quantity: str, average_price: str = "190", *, listing: Listing | None = None) -> Position:
    """Give the desk a position."""
    now = clock.now()
    with write_scope(desk.actor):
        return Position.objects.create(
            tenant_id=desk.tenant.id,
            risk_account=desk.risk_account,
            instrument=(listing or desk.listing).instrument,
            quantity=Decimal(quantity),
            average_price=Decimal(average_price),
            created_at=now,
            updated_at=now,
        )


def make_order(
    desk: Desk,
    status: OrderStatus = OrderStatus.APPROVED,
    *,
    listing: Listing | None = None,
    now: datetime | None = None,
    **values: Any,
) -> Order:
    """Store an order in a state, with the one event that says so; no job, no leaf, nothing sent."""
    now, listing = now or clock.now(), listing or desk.listing
    defaults: dict[str, Any] = {
        "side": "buy",
        "type": "limit",
        "quantity": Decimal(10),
        "limit_price": Decimal(190),
        "time_in_force": "day",
        "mode": desk.risk_account.mode,
        "created_at": now,
        "updated_at": now,
    }
    with write_scope(desk.actor):
        order = Order.objects.create(
            id=(id_ := new_id()),
            tenant_id=desk.tenant.id,
            account=desk.account,
            risk_account=desk.risk_account,
            instrument=listing.instrument,
            symbol=listing.symbol,
            client_order_id=values.pop("client_order_id", id_.hex),
            status=status,
            **{**defaults, **values},
        )
        make_event(order, STATUS_EVENTS[status])
        return order


def make_event(order: Order, type_: str, *, sequence: int = 1) -> OrderEvent:
    """Store that something happened to an order; the order stays as it is."""
    with write_scope(system_actor("tests", tenant_id=order.tenant_id)):
        return OrderEvent.objects.create(
            tenant_id=order.tenant_id,
            order=order,
            sequence=sequence,
            type=type_,
            data=jsonable(order_event_data(order)),
            at=order.updated_at,
        )


def make_fill(order: Order, quantity: str = "4", price: str = "189.5", **values: Any) -> Fill:
    """Store an execution of an order; position and order stay as they are."""
    now = clock.now()
    with write_scope(system_actor("tests", tenant_id=order.tenant_id)):
        return Fill.objects.create(
            tenant_id=order.tenant_id,
            order=order,
            account_id=order.account_id,
            risk_account_id=order.risk_account_id,
            instrument_id=order.instrument_id,
            venue_execution_id=values.pop("venue_execution_id", new_id().hex),
            side=order.side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            filled_at=now,
            created_at=now,
            **values,
        )


def make_decision(desk: Desk, order: Order | None = None, **values: Any) -> RiskDecision:
    """Store an approval of an order, or of a dry run."""
    defaults: dict[str, Any] = {
        "outcome": "approved",
        "request": {"instrument": desk.listing.instrument.key, "side": "buy", "quantity": "10"},
        "inputs": {"bid": "189.98", "ask": "190.02", "engaged_switches": []},
        "checks": [{"check": "clock", "code": None, "detail": ""}],
        "actor": desk.actor.as_json(),
        "decided_at": clock.now(),
    }
    with write_scope(desk.actor):
        return RiskDecision.objects.create(
            tenant_id=desk.tenant.id, account=desk.account, order=order, **{**defaults, **values}
        )


def make_kill_switch(desk: Desk, *, engaged: bool = False, reason: str = "drill", of_account: bool = True) -> None:
    """Engage the switch of the desk's account or tenant, and release it again unless it is to stay engaged."""
    scope, account_id = (SwitchScope.ACCOUNT, desk.account.id) if of_account else (SwitchScope.TENANT, None)
    for state in (True,) if engaged else (True, False):
        set_kill_switch(
            scope=scope, account_id=account_id, engaged=state, reason=reason, actor=desk.actor, now=clock.now()
        )


def read_order(order: Order) -> Order:
    """Return the order as it is stored now."""
    with tenant_scope(order.tenant_id):
        return Order.objects.select_related("instrument").get(id=order.id)
