"""Fail closed, through POST /orders: each input of the gate missing, aged or absurd in the database, the venue away.

The gate alone goes through the whole matrix in rules/test_fail_closed.py; here every input is taken away once for each
type of order, with side and time in force in turn. What is denied reserves nothing, uses up nothing and sends nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.conf import settings

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import Actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.market.models import Listing, Quote, VenueClock
from apps.orders.enums import OrderStatus, OrderType, Side, SwitchScope, TimeInForce
from apps.orders.models import Order, OrderEvent, RiskAccount, RiskDecision
from apps.orders.services.kill_switch import set_kill_switch
from apps.outbox.models import OutboxEvent
from apps.providers.adapters.alpaca.hosts import HOSTS
from apps.providers.transport.breaker import line_name, provider_breaker
from tests.factories.market import make_clock, make_listing, make_quote
from tests.factories.orders import Desk, make_desk, make_order, make_position, make_trading_account, set_means
from tests.sandbox_process import free_port

Breaking = Callable[[Desk], Any]
OLD = 61
STAFF = Actor(kind="staff", label="sam", user_id=new_id())


def from_now(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with times for what is so far from now."""
    return {name: clock.now() + value if isinstance(value, timedelta) else value for name, value in values.items()}


def quote(**values: Any) -> Breaking:
    return lambda desk: Quote.objects.filter(source="alpaca").update(**from_now(values))


def venue_clock(**values: Any) -> Breaking:
    return lambda desk: VenueClock.objects.filter(venue="alpaca").update(**from_now(values))


def listing(**values: Any) -> Breaking:
    return lambda desk: Listing.objects.filter(id=desk.listing.id).update(**values)


def means(**values: Any) -> Breaking:
    return lambda desk: set_means(desk, **from_now(values))


def switch(scope: SwitchScope) -> Breaking:
    def engage(desk: Desk) -> None:
        account_id = desk.account.id if scope is SwitchScope.ACCOUNT else None
        actor = STAFF if scope is SwitchScope.INSTALLATION else desk.actor
        set_kill_switch(scope=scope, account_id=account_id, engaged=True, reason="x", actor=actor, now=clock.now())

    return engage


BROKEN: dict[str, tuple[Breaking, str]] = {
    "no quote": (quote(source="elsewhere"), "price_unknown"),
    "no bid": (quote(bid=None), "price_unknown"),
    "no ask": (quote(ask=None), "price_unknown"),
    "crossed": (quote(bid=Decimal(200)), "price_unknown"),
    "quote of nothing": (quote(bid=Decimal(0)), "price_unknown"),
    "quote old": (lambda desk: make_quote(desk.listing, age_seconds=OLD), "price_stale"),
    "quote old at the venue": (quote(venue_at=timedelta(seconds=-OLD)), "price_stale"),
    "quote of the future": (quote(venue_at=timedelta(seconds=OLD)), "price_stale"),
    "no clock": (venue_clock(venue="elsewhere"), "clock_unknown"),
    "clock old": (lambda desk: make_clock(age_seconds=OLD), "clock_unknown"),
    "venue has turned": (lambda desk: make_clock(age_seconds=5, next_close_at=clock.now()), "clock_unknown"),
    "clock ahead": (venue_clock(venue_at=timedelta(seconds=5)), "clock_offset"),
    "clock behind": (venue_clock(venue_at=timedelta(seconds=-5)), "clock_offset"),
    "closed": (lambda desk: make_clock(is_open=False), "venue_closed"),
    "not listed": (listing(listed=False), "instrument_not_tradable"),
    "not tradable": (listing(tradable=False), "instrument_not_tradable"),
    "unknown to the venue": (listing(venue="elsewhere"), "instrument_unknown"),
    "no means": (means(means_as_of=None), "means_unknown"),
    "means old": (means(age_seconds=OLD), "means_unknown"),
    "means of the future": (means(age_seconds=-OLD), "means_unknown"),
    "no equity": (means(equity=None), "means_unknown"),
    "negative equity": (means(equity=Decimal(-1)), "means_unknown"),
    "no buying power told": (means(buying_power=None), "means_unknown"),
    "no buying power": (means(buying_power=Decimal(0)), "insufficient_buying_power"),
    "restricted": (means(is_restricted=True), "account_restricted"),
    "no trade allowed": (means(max_open_trades=0), "open_trade_limit"),
    "no position allowed": (means(max_position_value=Decimal(0)), "position_limit"),
    "no concentration allowed": (means(max_concentration=Decimal(0)), "concentration_limit"),
    "no order allowed": (means(max_orders_per_minute=0), "order_rate_limit"),
    "rate used up": (means(rate_reset_at=timedelta(seconds=60)), "order_rate_limit"),
    "an outcome not known": (lambda desk: make_order(desk, OrderStatus.UNKNOWN, limit_price=1), "outcome_unknown"),
    "account's switch": (switch(SwitchScope.ACCOUNT), "kill_switch_engaged"),
    "tenant's switch": (switch(SwitchScope.TENANT), "kill_switch_engaged"),
    "installation's switch": (switch(SwitchScope.INSTALLATION), "kill_switch_engaged"),
}
PRICES: dict[OrderType, dict[str, str]] = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": "190"},
    OrderType.STOP: {"stop_price": "191"},
    OrderType.STOP_LIMIT: {"stop_price": "191", "limit_price": "192"},
}
TURNS = list(product(Side, TimeInForce))


@pytest.fixture
def desk(acme, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose venue is away: whatever has grown old cannot be had again."""
    monkeypatch.setattr(settings, "SANDBOX_URL", f"http://127.0.0.1:{free_port()}")
    for host in HOSTS:
        while not provider_breaker(line_name("alpaca", host)).fail():
            pass  # until it is open, so that nobody waits for a venue that is not there
    return make_desk(acme)


def post(client: Any, desk: Desk, type_: OrderType, side: Side, time: TimeInForce) -> Any:
    body = {
        "account_id": str(desk.account.id),
        "instrument": desk.listing.instrument.key,
        "side": side,
        "type": type_,
        "quantity": "10",
        "time_in_force": time,
        **PRICES[type_],
    }
    return client.post("/api/v1/orders", body, format="json", headers={"Idempotency-Key": str(new_id())})


def rate(desk: Desk) -> Any:
    with tenant_scope(desk.tenant.id):
        return RiskAccount.objects.values_list("rate_reset_at", flat=True).get(id=desk.risk_account.id)


def assert_denied(desk: Desk, answer: Any, code: str, rate_before: Any) -> None:
    """Check the answer, the one record of each kind, and that nothing else came of it."""
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["status"], shown["denial"]["code"]) == ("denied", code), shown["denial"]
    assert shown["denial"]["detail"]
    assert (shown["reserved"], shown["venue_order_id"], shown["filled_quantity"]) == ("0", None, "0")
    with tenant_scope(desk.tenant.id):
        order = Order.objects.get(id=shown["id"])
        assert (order.status, order.denial_code, order.reserved) == (OrderStatus.DENIED, code, 0)
        assert list(OrderEvent.objects.filter(order=order).values_list("type", flat=True)) == ["order.denied"]
        decision = RiskDecision.objects.get(order=order)
        assert (decision.outcome, decision.code) == ("denied", code)
        assert code in {check["code"] for check in decision.checks}
        about = {"target_type": "order", "target_id": str(order.id)}
        assert list(AuditEntry.objects.filter(**about).values_list("action", flat=True)) == ["order.denied"]
        assert list(OutboxEvent.objects.filter(entity_id=order.id).values_list("type", flat=True)) == ["order.denied"]
        assert not Job.objects.filter(queue="orders").exists()
    assert rate(desk) == rate_before


@pytest.mark.parametrize("name", BROKEN)
def test_denied(name: str, desk: Desk, acme_trader):
    breaking, code = BROKEN[name]
    breaking(desk)
    before = rate(desk)
    first = list(BROKEN).index(name)
    for number, type_ in enumerate(OrderType):
        side, time = TURNS[(first + number * 3) % len(TURNS)]
        assert_denied(desk, post(acme_trader, desk, type_, side, time), code, before)


@pytest.mark.parametrize(("type_", "turn"), [*zip(OrderType, TURNS, strict=False)])
def test_the_same_orders_pass_while_all_is_known(type_: OrderType, turn: tuple[Side, TimeInForce], desk, acme_trader):
    answer = post(acme_trader, desk, type_, *turn)
    assert (answer.status_code, answer.json()["status"]) == (201, "approved")
    with tenant_scope(desk.tenant.id):
        assert Job.objects.filter(queue="orders").count() == 1


def test_an_account_that_nobody_has_read_yet(desk, acme, acme_trader):
    account = make_trading_account(acme, key_id="PKTESTNEW")
    new = replace(desk, account=account)
    answer = post(acme_trader, new, OrderType.MARKET, Side.BUY, TimeInForce.DAY)
    with tenant_scope(acme.id):
        new = replace(new, risk_account=RiskAccount.objects.get(account=account))
    assert new.risk_account.means_as_of is None
    assert_denied(new, answer, "means_unknown", None)


def test_what_is_not_shortable_is_not_sold_short(desk, acme_trader):
    listing(shortable=False)(desk)
    answer = post(acme_trader, desk, OrderType.MARKET, Side.SELL, TimeInForce.DAY)
    assert_denied(desk, answer, "short_not_allowed", None)


def test_a_third_instrument(desk, acme_trader):
    for key in ("XNAS:MSFT", "XNYS:IBM"):
        make_position(desk, "1", listing=make_listing(key))
    answer = post(acme_trader, desk, OrderType.MARKET, Side.BUY, TimeInForce.DAY)
    assert_denied(desk, answer, "open_trade_limit", None)


def test_a_reducing_order_passes_without_means_and_room(desk, acme_trader):
    make_position(desk, "10")
    set_means(desk, means_as_of=None, equity=None, buying_power=None, max_position_value=0, max_open_trades=0)
    answer = post(acme_trader, desk, OrderType.MARKET, Side.SELL, TimeInForce.DAY)
    assert (answer.status_code, answer.json()["status"], answer.json()["reserved"]) == (201, "approved", "0")
