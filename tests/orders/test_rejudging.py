"""An approval that has waited is no licence: the order is judged by what is known when it is sent."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from apps.core import clock
from apps.core.scope import tenant_scope, write_scope
from apps.orders.enums import SwitchScope
from apps.orders.models import Order, RiskAccount, RiskDecision
from apps.orders.services.kill_switch import set_kill_switch
from apps.providers.trading import QuoteData
from tests.factories.market import make_clock, make_quote
from tests.orders.broker import AWAY, NAME, Broker
from tests.orders.floor import Floor, number
from tests.orders.test_unknown import die_in_call

pytestmark = pytest.mark.worker_login


@pytest.fixture(autouse=True)
def market(floor: Floor) -> None:
    """Prices and the venue's clock are known and of now; nobody is asking for them."""
    make_quote(floor.listing, "189.98", "190.02")
    make_clock(NAME)


def waiting(floor: Floor, *, seconds: float = 6, **values: Any) -> Order:
    """Store an order that was approved a while ago."""
    at = clock.now() - timedelta(seconds=seconds)
    return floor.make_order(created_at=at, updated_at=at, **values)


def set_account(floor: Floor, **values: Any) -> None:
    with write_scope(floor.actor):
        RiskAccount.objects.filter(id=floor.risk_account.id).update(**values)


def decisions(floor: Floor) -> list[RiskDecision]:
    with tenant_scope(floor.tenant.id):
        return list(RiskDecision.objects.order_by("id"))


def assert_denied(floor: Floor, broker: Broker, order: Order, code: str) -> None:
    stored, (decision,) = floor.read(order), decisions(floor)
    assert (stored.status, stored.denial_code, stored.reserved) == ("denied", code, 0)
    assert (decision.order_id, decision.outcome, decision.code) == (order.id, "denied", code)
    assert decision.detail == stored.denial_detail
    assert floor.events(order) == ["approved", "denied"]
    assert (broker.orders, [job.state for job in floor.jobs()]) == ({}, ["succeeded"])


def test_one_that_is_sent_at_once_is_not_judged_again(floor: Floor, broker: Broker):
    waiting(floor, seconds=1)

    floor.run()

    assert (decisions(floor), broker.calls) == ([], ["place_order"])


def test_one_that_still_passes_is_sent_and_reserves_what_it_may_cost_now(floor: Floor, broker: Broker):
    order = waiting(floor, type="market", limit_price=None, reserved=Decimal("1976.2"))
    make_quote(floor.listing, "199.98", "200")

    floor.run()

    (decision,) = decisions(floor)
    assert (decision.order_id, decision.outcome, decision.inputs["ask"]) == (order.id, "approved", "200")
    assert floor.events(order) == ["approved", "submitted", "accepted"]
    assert number(floor.read(order).reserved) == "2080"  # ten at 4 % above the ask
    assert broker.calls == ["place_order"]


def test_what_it_takes_itself_does_not_stand_in_its_way(floor: Floor, broker: Broker):
    """Every limit is just enough for one such order, and its turn in the rate of orders is taken."""
    waiting(floor)
    exact = {
        "buying_power": Decimal("1902.5"),
        "max_position_value": Decimal("1902.5"),
        "equity": Decimal("19025"),
        "max_concentration": Decimal("0.1"),
        "max_open_trades": 1,
        "max_orders_per_minute": 1,
        "rate_reset_at": clock.now() + timedelta(minutes=1),
    }
    set_account(floor, **exact)

    floor.run()

    (decision,) = decisions(floor)
    assert (decision.outcome, decision.inputs["open_buys"], decision.inputs["reserved"]) == ("approved", "0", "0")
    assert broker.calls == ["place_order"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"max_position_value": Decimal(1902)}, "position_limit"),
        ({"max_concentration": Decimal("0.01")}, "concentration_limit"),
        ({"max_open_trades": 0}, "open_trade_limit"),
        ({"buying_power": Decimal(1902)}, "insufficient_buying_power"),
        ({"is_restricted": True}, "account_restricted"),
        ({"max_orders_per_minute": 0}, "order_rate_limit"),
    ],
)
def test_limits_and_means_are_those_of_now(floor: Floor, broker: Broker, values: dict[str, Any], code: str):
    order = waiting(floor)
    set_account(floor, **values)

    floor.run()

    assert_denied(floor, broker, order, code)


def test_prices_are_those_of_now(floor: Floor, broker: Broker):
    order = waiting(floor, type="market", limit_price=None, reserved=Decimal("1976.2"))
    set_account(floor, max_position_value=Decimal(2000))
    make_quote(floor.listing, "249.98", "250")

    floor.run()

    assert_denied(floor, broker, order, "position_limit")


def test_a_venue_that_has_closed_meanwhile(floor: Floor, broker: Broker):
    order = waiting(floor)
    make_clock(NAME, is_open=False)

    floor.run()

    assert_denied(floor, broker, order, "venue_closed")


def test_other_orders_count_as_they_are_now(floor: Floor, broker: Broker):
    order = waiting(floor)
    floor.make_order(job=False)
    set_account(floor, buying_power=Decimal(2 * 1902))

    floor.run()

    assert_denied(floor, broker, order, "insufficient_buying_power")


def test_a_replacement_takes_the_place_of_its_original(floor: Floor, broker: Broker):
    original = floor.make_order()
    floor.run()
    new = floor.ask_replace(original, created_at=clock.now() - timedelta(seconds=6))
    set_account(floor, buying_power=Decimal("1902.5"), max_position_value=Decimal(2000))

    floor.run()

    assert floor.read(new).status == "accepted"
    assert [decision.outcome for decision in decisions(floor)] == ["approved"]


def quote_of_now(at: str = "190.02") -> QuoteData:
    return QuoteData(
        symbol="AAPL",
        bid=Decimal("189.98"),
        ask=Decimal(at),
        bid_size=Decimal(1),
        ask_size=Decimal(1),
        venue_at=clock.now(),
    )


def test_what_has_grown_old_is_asked_for_while_no_kill_switch_waits_for_it(floor: Floor, broker: Broker):
    order = waiting(floor)
    make_quote(floor.listing, age_seconds=settings.QUOTE_MAX_AGE_SECONDS + 1)
    broker.quotes["AAPL"] = quote_of_now("190.03")
    quiet = []

    def engage_and_release() -> None:
        for engaged in (True, False):
            result = set_kill_switch(
                scope=SwitchScope.TENANT, engaged=engaged, reason="Drill", actor=floor.actor, now=clock.now()
            )
            quiet.append(result.is_quiet)

    broker.on_call["latest_quotes"] = engage_and_release

    floor.run()

    (decision,) = decisions(floor)
    assert (decision.outcome, decision.inputs["ask"], quiet) == ("approved", "190.03", [True, None])
    assert floor.read(order).status == "accepted"
    assert broker.calls == ["latest_quotes", "place_order"]


def test_what_cannot_be_refreshed_is_tried_again(floor: Floor, broker: Broker):
    order = waiting(floor)
    make_quote(floor.listing, age_seconds=settings.QUOTE_MAX_AGE_SECONDS + 1)
    broker.fail("latest_quotes", AWAY, times=100)

    floor.run_one()

    assert (floor.read(order).status, floor.read(order).version, decisions(floor)) == ("approved", 1, [])
    assert [(job.state, job.last_error_code) for job in floor.jobs()] == [("queued", "retry_later")]
    assert set(broker.calls) == {"latest_quotes"}


def test_what_a_dead_worker_left_and_would_be_denied_now_is_unknown(floor: Floor, broker: Broker):
    """Its end is the venue's word, as with a kill switch: that it is not there yet proves nothing."""
    order = waiting(floor)
    die_in_call(floor, broker, performs=False)
    set_account(floor, max_position_value=Decimal(1902))

    floor.run_one(ahead=120)

    assert [decision.code for decision in decisions(floor)] == ["", "position_limit"]
    assert floor.read(order).status == "unknown"
    assert broker.calls == ["place_order", "find_order"]
    assert broker.orders == {}


def test_what_a_dead_worker_left_waits_for_the_outcome_of_another_order(floor: Floor, broker: Broker):
    """Given up for unknown, too, each of the two would keep the account from new risk until a person has looked."""
    order = waiting(floor)
    die_in_call(floor, broker, performs=False)
    other = floor.make_order(job=False, status="unknown")

    floor.run_one(ahead=70)
    assert [decision.code for decision in decisions(floor)] == ["", "outcome_unknown"]
    assert (floor.read(order).status, floor.incidents()) == ("submitting", [])
    assert [(job.state, job.last_error_code) for job in floor.jobs()] == [("queued", "retry_later")]

    with write_scope(floor.actor):
        Order.objects.filter(id=other.id).update(status="canceled")
    floor.run_one(ahead=80)
    assert floor.read(order).status == "accepted"
    assert broker.calls == ["place_order", "find_order", "find_order", "place_order"]


def test_it_does_not_wait_for_longer_than_its_approval_lasts(floor: Floor, broker: Broker):
    order = waiting(floor, seconds=301, status="submitting")
    floor.make_order(job=False, status="unknown")

    floor.run_one()

    assert floor.read(order).status == "unknown"
    assert (broker.calls, broker.orders) == (["find_order"], {})
