"""A tenant's trading for the admin to show: an account, its orders in many states, an endpoint that hears of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.market.models import ListingImport
from apps.orders.enums import OrderStatus
from apps.orders.models import Fill, Order, RiskDecision
from apps.orders.services.fills import record_fill
from apps.orders.services.transitions import transition
from apps.providers.trading import FillData
from apps.tenants.models import Tenant
from apps.webhooks.models import Delivery, Endpoint
from tests.factories.orders import Desk, make_decision, make_desk, make_order
from tests.factories.webhooks import make_endpoint

ENDPOINT_SECRET = "whsec_never_to_be_shown_0123456789"
CHECKS = [
    {"check": "clock", "code": None, "detail": ""},
    {"check": "price", "code": "price_stale", "detail": "The quote is 41 s old."},
    {"check": "open_trades", "code": None, "detail": ""},
]
INPUTS: dict[str, Any] = {
    "now": "2026-03-02T12:00:00Z",
    "engaged_switches": [],
    "bid": "189.98",
    "ask": None,
    "quote_venue_at": "2026-03-02T11:59:19Z",
    "max_concentration": "0.3",
    "max_open_trades": 2,
    "quote_max_age": "15",
    "is_restricted": False,
}


@dataclass(frozen=True)
class Trade:
    """One tenant's desk: an order that was executed, one at the venue, one denied, one of unknown outcome."""

    desk: Desk
    filled: Order
    fill: Fill
    working: Order
    denied: Order
    decision: RiskDecision
    unknown: Order
    endpoint: Endpoint
    secret: str
    delivery: Delivery


def build_trade(tenant: Tenant) -> Trade:
    """Let a tenant trade."""
    now = clock.now()
    desk = make_desk(tenant, key_id=f"PK{tenant.slug.upper():X<16}")
    ListingImport.objects.get_or_create(venue="alpaca", defaults={"finished_at": now, "listed": 1})
    filled = advance(make(desk, "filled", now=now), OrderStatus.SUBMITTING, OrderStatus.ACCEPTED, now=now)
    fill = execute(filled, "10", "189.95", now=now + timedelta(milliseconds=250))
    working = advance(make(desk, "working", now=now), OrderStatus.SUBMITTING, OrderStatus.ACCEPTED, now=now)
    denied = make(
        desk, "denied", OrderStatus.DENIED, denial_code="price_stale", denial_detail="The quote is old.", closed_at=now
    )
    decision = make_decision(desk, denied, outcome="denied", code="price_stale", checks=CHECKS, inputs=INPUTS)
    unknown = advance(
        make(desk, "unknown", lookups=5, now=now),
        OrderStatus.SUBMITTING,
        OrderStatus.UNKNOWN,
        now=now,
        reason="timeout",
    )
    made = make_endpoint(tenant, f"http://127.0.0.1:9/{tenant.slug}")
    delivery = make_delivery(made.endpoint, unknown, status="failed")
    return Trade(desk, filled, fill, working, denied, decision, unknown, made.endpoint, made.secret, delivery)


def make(desk: Desk, name: str, status: OrderStatus = OrderStatus.APPROVED, **values: Any) -> Order:
    """Create an order that is called after its tenant and what becomes of it."""
    return make_order(desk, status, client_order_id=f"{desk.tenant.slug}-{name}", **values)


def advance(order: Order, *states: OrderStatus, now: datetime, reason: str = "") -> Order:
    """Bring an order from state to state, as the venue would; each takes 30 ms."""
    actor = actor_of(order)
    for step, status in enumerate(states, 1):
        columns: dict[str, Any] = (
            {"venue_order_id": f"venue-{order.client_order_id}"} if status == OrderStatus.ACCEPTED else {}
        )
        data = {"reason": reason} if reason and status == states[-1] else None
        with write_scope(actor):
            transition(order, status, actor=actor, now=now + timedelta(milliseconds=30 * step), data=data, **columns)
    return order


def execute(order: Order, quantity: str, price: str, *, now: datetime) -> Fill:
    """Let the venue execute some of an order."""
    data = FillData(
        execution_id=f"execution-{order.client_order_id}-{now.timestamp():.0f}",
        venue_order_id=order.venue_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(0),
        filled_at=now,
    )
    actor = actor_of(order)
    with write_scope(actor):
        fill = record_fill(order, data, actor=actor, now=now)
    assert fill is not None
    return fill


def make_delivery(endpoint: Endpoint, order: Order, **values: Any) -> Delivery:
    """Store a delivery about an order, as the relay would; attempts are another matter, see `fail_due`."""
    now = clock.now()
    ended = values.get("status") in ("succeeded", "failed", "discarded")
    with write_scope(actor_of(order)):
        sequence = Delivery.objects.filter(endpoint=endpoint).count() + 1
        Endpoint.objects.filter(pk=endpoint.pk).update(last_sequence=sequence)
        return Delivery.objects.create(
            tenant_id=endpoint.tenant_id,
            endpoint=endpoint,
            entity_id=order.pk,
            sequence=sequence,
            created_at=now,
            **{
                "event_id": new_id(),
                "event_type": "order.outcome_unknown",
                "body": f'{{"type": "order.outcome_unknown", "data": {{"secret": "{ENDPOINT_SECRET}"}}}}',
                "finished_at": now if ended else None,
                **values,
            },
        )


def actor_of(order: Order) -> Actor:
    """Return who acts upon an order in the tests."""
    return system_actor("tests", tenant_id=order.tenant_id)
