"""From `approved` to the venue: sent once, and what the answer proves is what is stored."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.core import clock
from apps.core.scope import write_scope
from apps.orders.enums import SwitchScope
from apps.orders.services.kill_switch import set_kill_switch
from apps.orders.types import SUBMIT_ORDER
from apps.providers.models import Credentials
from tests.orders.broker import AWAY, LOST, REFUSED, THROTTLED, UNAUTHORISED, Broker
from tests.orders.floor import Floor, number

pytestmark = pytest.mark.worker_login

# Each by itself makes an order another one than that of the floor: how the venue shows it, and how we tell.
OTHER_TERMS = [
    ("symbol", "MSFT", "MSFT, not AAPL"),
    ("side", "sell", "sell, not buy"),
    ("type", "stop_limit", "stop_limit, not limit"),
    ("quantity", Decimal(9), "9, not 10"),
    ("quantity", None, "none, not 10"),
    ("limit_price", Decimal("190.26"), "190.26, not 190.25"),
    ("stop_price", Decimal(190), "190, not none"),
    ("time_in_force", "gtc", "gtc, not day"),
]


def test_an_approved_order_is_sent_and_accepted(floor: Floor, broker: Broker):
    order = floor.make_order()

    assert floor.run() == 1

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id, stored.version) == ("accepted", "v-1", 3)
    assert stored.submitted_at <= stored.accepted_at
    assert floor.events(order) == ["approved", "submitted", "accepted"]
    assert floor.leaves(order) == ["order.submitted", "order.accepted"]
    assert broker.calls == ["place_order"]
    sent = broker.only_order()
    assert (sent.client_order_id, sent.symbol, number(sent.quantity)) == (order.client_order_id, "AAPL", "10")
    assert [job.state for job in floor.jobs()] == ["succeeded"]


def test_submitting_is_committed_before_the_call(floor: Floor, broker: Broker):
    order = floor.make_order()
    seen = []
    broker.on_call["place_order"] = lambda: seen.append(floor.read(order).status)

    floor.run()

    assert seen == ["submitting"]


def test_an_order_that_has_gone_out_is_not_sent_again(floor: Floor, broker: Broker):
    order = floor.make_order()
    floor.run()
    floor.enqueue(SUBMIT_ORDER, order)

    assert floor.run() == 1

    assert broker.calls == ["place_order"]
    assert floor.read(order).version == 3


@pytest.mark.parametrize("category", [REFUSED, UNAUTHORISED])
def test_the_venues_refusal_rejects(floor: Floor, broker: Broker, category):
    order = floor.make_order()
    broker.fail("place_order", category, code="insufficient_funds")

    floor.run()

    stored = floor.read(order)
    assert (stored.status, stored.denial_code) == ("rejected", "rejected_by_venue")
    assert stored.denial_detail == "Scripted trouble. (insufficient_funds)"
    assert (stored.reserved, stored.closed_at is not None) == (0, True)
    assert floor.events(order) == ["approved", "submitted", "rejected"]


@pytest.mark.parametrize("category", [AWAY, THROTTLED])
def test_what_was_provably_not_carried_out_is_tried_again(floor: Floor, broker: Broker, category):
    order = floor.make_order()
    broker.fail("place_order", category, retry_after=4.2)

    floor.run()

    assert floor.read(order).status == "approved"
    (job,) = floor.jobs()
    assert (job.state, job.last_error_code) == ("queued", "retry_later")
    assert timedelta(seconds=5) <= job.run_at - clock.now() + timedelta(seconds=1) <= timedelta(seconds=7)
    assert floor.run(ahead=10) == 1
    assert floor.read(order).status == "accepted"
    assert floor.events(order) == ["approved", "submitted", "submission_deferred", "submitted", "accepted"]
    assert broker.calls == ["place_order", "place_order"]


def test_a_cancel_that_came_while_it_was_tried_again_ends_it(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.fail("place_order", AWAY)
    floor.run()
    floor.ask_cancel(order)

    assert floor.run(ahead=60) == 2

    stored = floor.read(order)
    assert (stored.status, stored.denial_code, stored.pending) == ("denied", "canceled_before_submission", "none")
    assert broker.calls == ["place_order"]
    assert broker.orders == {}


def test_an_approval_that_has_grown_old_is_worth_nothing(floor: Floor, broker: Broker):
    order = floor.make_order(created_at=clock.now() - timedelta(seconds=301))

    floor.run()

    stored = floor.read(order)
    assert (stored.status, stored.denial_code) == ("denied", "approval_expired")
    assert floor.events(order) == ["approved", "denied"]
    assert broker.calls == []


@pytest.mark.parametrize("scope", [SwitchScope.ACCOUNT, SwitchScope.TENANT])
def test_an_engaged_kill_switch_denies_what_was_approved(floor: Floor, broker: Broker, scope):
    order = floor.make_order()
    account_id = floor.account.id if scope is SwitchScope.ACCOUNT else None
    set_kill_switch(scope=scope, account_id=account_id, engaged=True, reason="Halt", actor=floor.actor, now=clock.now())

    floor.run()

    stored = floor.read(order)
    assert (stored.status, stored.denial_code) == ("denied", "kill_switch_engaged")
    assert stored.denial_detail == f"A kill switch is engaged ({scope}: Halt)."
    assert (broker.calls, stored.reserved) == ([], 0)


def test_a_kill_switch_stops_what_waits_to_be_tried_again(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.fail("place_order", THROTTLED)
    floor.run()
    set_kill_switch(scope=SwitchScope.TENANT, engaged=True, reason="Halt", actor=floor.actor, now=clock.now())

    floor.run(ahead=60)

    assert floor.read(order).status == "denied"
    assert broker.orders == {}


def test_a_lost_answer_makes_the_order_unknown_and_is_never_repeated(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.fail("place_order", LOST, performs=True)

    floor.run()

    assert floor.read(order).status == "unknown"
    submit, resolve = floor.jobs()
    assert [(job.kind, job.state) for job in (submit, resolve)] == [
        ("order.submit", "succeeded"),
        ("order.resolve", "queued"),
    ]
    assert broker.calls == ["place_order"]


def test_a_taken_client_id_is_looked_up(floor: Floor, broker: Broker):
    """What the venue refuses as a duplicate is there: the first of the two was ours."""
    order = floor.make_order()
    broker.fail("place_order", REFUSED, code="duplicate_client_order_id", performs=True)

    floor.run()

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id) == ("accepted", "v-1")
    assert broker.calls == ["place_order", "find_order"]


@pytest.mark.parametrize(("name", "value", "shown"), OTHER_TERMS)
def test_a_client_id_that_another_order_took_is_a_refusal(floor: Floor, broker: Broker, name: str, value, shown: str):
    order = floor.make_order()
    broker.fail("place_order", REFUSED, code="duplicate_client_order_id", performs=True)
    broker.on_call["find_order"] = lambda: broker.change("v-1", **{name: value})

    floor.run()
    floor.hear(broker.update("new", "v-1"))

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id) == ("rejected", "")
    assert stored.denial_detail == (
        f"Another order has this client order id: {name}: {shown}. (duplicate_client_order_id)"
    )
    assert floor.incidents() == [("order.another_order", "open")]


def test_an_answer_that_shows_another_order_proves_nothing(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.placed_as = {"side": "sell"}

    floor.run()
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "1", "190")))

    stored = floor.read(order)
    assert (stored.status, stored.venue_order_id, floor.fills()) == ("unknown", "", [])
    assert floor.incidents() == [("order.another_order", "open")]


def test_a_taken_client_id_that_the_venue_does_not_show_is_unknown(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.fail("place_order", REFUSED, code="duplicate_client_order_id")

    floor.run()

    assert floor.read(order).status == "unknown"


def test_a_job_that_died_before_sending_denies(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.fail("place_order", AWAY, times=20)

    for attempt in range(20):
        assert floor.run_one(ahead=3600 * (attempt + 1))

    stored = floor.read(order)
    assert (stored.status, stored.denial_code) == ("denied", "submission_failed")
    assert [job.state for job in floor.jobs()] == ["dead"]
    assert broker.orders == {}


def test_without_credentials_what_never_left_is_denied(floor: Floor, broker: Broker):
    order = floor.make_order()
    with write_scope(floor.actor):
        Credentials.objects.filter(connection_id=floor.risk_account.connection_id).delete()

    floor.run()

    stored = floor.read(order)
    assert (stored.status, stored.denial_code) == ("denied", "connection_unusable")
    assert stored.denial_detail.endswith("(connection_disabled)")
    assert broker.calls == []
