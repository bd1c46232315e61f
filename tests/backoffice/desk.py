"""A desk to look at: an account that trades, its orders in many states, and what they left behind."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from apps.accounts.models import Account
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.market.models import Instrument, Listing, Quote, VenueClock
from apps.orders import events
from apps.orders.enums import OrderStatus, OrderType, Side
from apps.orders.models import Fill, Order, RiskAccount, RiskDecision
from apps.orders.rules.gate import decide
from apps.orders.rules.snapshot import Proposal, Snapshot
from apps.orders.rules.units import ceil_units, micros
from apps.orders.services.fills import record_fill
from apps.orders.services.intake.judging import checks_for_people, inputs_for_people
from apps.orders.services.transitions import note, transition
from apps.providers.trading import FillData
from apps.tenants.models import Tenant
from tests.factories.accounts import make_account

VENUE = "alpaca"


@dataclass
class Desk:
    """One tenant's trading."""

    tenant: Tenant
    account: Account
    risk: RiskAccount
    orders: dict[str, Order] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """Return who acts in the tests."""
        return system_actor("tests", tenant_id=self.tenant.id)


def make_instrument(key: str, *, now: datetime, bid: str = "190.10", ask: str = "190.20") -> Instrument:
    """Create an instrument as the venue lists it, with a quote."""
    symbol = key.partition(":")[2]
    asset_class = "crypto" if key.startswith("CRYPTO") else "equity"
    instrument, created = Instrument.objects.get_or_create(
        key=key,
        defaults={
            "symbol": symbol,
            "name": f"{symbol} Inc.",
            "asset_class": asset_class,
            "currency": "USD",
            "created_at": now,
        },
    )
    if created:
        Listing.objects.create(
            instrument=instrument,
            venue=VENUE,
            external_id=str(new_id()),
            symbol=symbol,
            tradable=True,
            shortable=True,
            fractionable=True,
            quantity_increment=Decimal("0.000000001"),
            price_increment=Decimal("0.01"),
            updated_at=now,
        )
        Quote.objects.create(
            instrument=instrument,
            source=VENUE,
            bid=Decimal(bid),
            ask=Decimal(ask),
            bid_size=Decimal(3),
            ask_size=Decimal(5),
            venue_at=now,
            received_at=now,
        )
    return instrument


def make_clock(now: datetime) -> VenueClock:
    """Store the venue's clock, open."""
    values = {
        "is_open": True,
        "venue_at": now,
        "next_open_at": now + timedelta(hours=18),
        "next_close_at": now + timedelta(hours=2),
        "asked_at": now - timedelta(milliseconds=24),
        "received_at": now,
    }
    return VenueClock.objects.update_or_create(venue=VENUE, defaults=values)[0]


def make_desk(tenant: Tenant, *, now: datetime, **values: Any) -> Desk:
    """Create a paper account that may trade."""
    account = make_account(tenant, name="Paper trading", kind="brokerage", subtype="margin", last_four="0717")
    with write_scope(system_actor("tests", tenant_id=tenant.id)):
        risk = RiskAccount.objects.create(
            tenant_id=tenant.id,
            account=account,
            connection_id=account.connection_id,
            venue=VENUE,
            mode="paper",
            currency="USD",
            **{
                "equity": Decimal("100000"),
                "cash": Decimal("40000"),
                "buying_power": Decimal("160000"),
                "means_as_of": now - timedelta(seconds=4),
                "created_at": now,
                "updated_at": now,
                **values,
            },
        )
    return Desk(tenant, account, risk)


def make_order(desk: Desk, key: str = "XNAS:AAPL", *, now: datetime, **values: Any) -> Order:
    """Create an order that the gate has approved or, with a `denial_code`, denied."""
    instrument = make_instrument(key, now=now)
    denial = values.get("denial_code", "")
    order = Order(
        id=new_id(),
        tenant_id=desk.tenant.id,
        account=desk.account,
        risk_account=desk.risk,
        instrument=instrument,
        symbol=instrument.symbol,
        mode="paper",
        status=OrderStatus.DENIED if denial else OrderStatus.APPROVED,
        created_at=now,
        updated_at=now,
        closed_at=now if denial else None,
        version=0,  # its first event makes it 1
        **{
            "client_order_id": f"desk-{new_id().hex[-10:]}",
            "side": Side.BUY,
            "type": OrderType.LIMIT,
            "quantity": Decimal(10),
            "limit_price": Decimal("190.25"),
            "time_in_force": "day",
            **values,
        },
    )
    with write_scope(desk.actor):
        order.save(force_insert=True)
        make_decision(desk, order, now=now)
        note(order, events.STATUS_EVENTS[order.status], actor=desk.actor, now=now)
    return order


def make_decision(desk: Desk, order: Order, *, now: datetime) -> RiskDecision:
    """Record the gate's decision about an order, from inputs that the gate decides upon."""
    at = micros(now)
    snapshot = Snapshot(
        now=at,
        engaged_switches=("tenant: year-end",) if order.denial_code == "kill_switch_engaged" else (),
        clock_is_open=True,
        clock_venue_at=at - 12_000,
        clock_asked_at=at - 24_000,
        clock_received_at=at - 1_000,
        bid=ceil_units(Decimal("190.10")),
        ask=ceil_units(Decimal("190.20")),
        quote_venue_at=at - 900_000,
        quote_received_at=at - 800_000,
        asset_class="equity",
        listed=True,
        tradable=True,
        shortable=True,
        position=0,
        open_buys=0,
        open_sells=0,
        other_trades=2 if order.denial_code == "open_trade_limit" else 0,
        unknown_orders=0,
        equity=ceil_units(desk.risk.equity or Decimal(0)),
        buying_power=ceil_units(desk.risk.buying_power or Decimal(0)),
        reserved=0,
        is_restricted=False,
        means_as_of=at - 2_000_000,
        max_open_trades=desk.risk.max_open_trades,
        max_position_value=ceil_units(desk.risk.max_position_value),
        max_concentration=ceil_units(desk.risk.max_concentration),
        max_orders_per_minute=desk.risk.max_orders_per_minute,
    )
    proposal = Proposal(
        side=Side(order.side),
        type=OrderType(order.type),
        quantity=ceil_units(order.quantity),
        limit_price=None if order.limit_price is None else ceil_units(order.limit_price),
        stop_price=None if order.stop_price is None else ceil_units(order.stop_price),
    )
    decision = decide(snapshot, proposal)
    return RiskDecision.objects.create(
        tenant_id=desk.tenant.id,
        account=desk.account,
        order=order,
        outcome=decision.outcome,
        code=decision.code or "",
        detail=decision.detail,
        request=msgspec.to_builtins(proposal),
        inputs=inputs_for_people(snapshot),
        checks=checks_for_people(decision.checks),
        actor=desk.actor.as_json(),
        decided_at=now,
    )


def advance(desk: Desk, order: Order, status: OrderStatus, *, now: datetime, **values: Any) -> Order:
    """Bring an order into another state."""
    with write_scope(desk.actor):
        transition(order, status, actor=desk.actor, now=now, **values)
    return order


def fill(desk: Desk, order: Order, quantity: str, price: str, *, now: datetime, fee: str = "0") -> Fill:
    """Execute some of an order."""
    data = FillData(
        execution_id=f"exec-{new_id().hex[-12:]}",
        venue_order_id=order.venue_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        filled_at=now - timedelta(milliseconds=9),
    )
    with write_scope(desk.actor):
        stored = record_fill(order, data, actor=desk.actor, now=now)
    assert stored is not None
    return stored
