"""The pull closes every gap that the stream leaves, sees to orders that nobody works on, and compares positions."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from apps.core import clock
from apps.core.scope import system_scope, write_scope
from apps.orders.models import Order, RiskAccount
from apps.orders.services.pulling import AccountBeingPulled, accounts_to_pull
from apps.orders.services.recognition import request_of
from apps.orders.services.turns import end_turn, keep_turn, stream_turn, take_turn
from apps.providers.errors import ProviderError
from tests.orders.broker import AWAY, LOST, Broker
from tests.orders.floor import Floor, number

pytestmark = pytest.mark.worker_login


def at_venue(floor: Floor, **values) -> Order:
    order = floor.make_order(**values)
    floor.run()
    return floor.read(order)


def test_everything_the_stream_missed_is_taken_over(floor: Floor, broker: Broker):
    filled, canceled, partly, still = (at_venue(floor) for _ in range(4))
    broker.execute("v-1", "10", "190")
    broker.change("v-2", status="canceled")
    broker.execute("v-3", "4", "190")

    floor.pull()

    statuses = [floor.read(order).status for order in (filled, canceled, partly, still)]
    assert statuses == ["filled", "canceled", "partially_filled", "accepted"]
    assert broker.calls[4:] == ["open_orders", "get_order", "get_order", "fills"]


def test_a_pull_without_news_writes_nothing(floor: Floor, broker: Broker):
    order = at_venue(floor)
    floor.hear(broker.update("partial_fill", "v-1", broker.execute("v-1", "4", "190")))
    before = floor.read(order)

    floor.pull()

    assert (floor.read(order).version, floor.read(order).updated_at) == (before.version, before.updated_at)


def test_executions_older_than_the_last_one_known_are_found(floor: Floor, broker: Broker):
    """The stream was away for hours, and brought newer ones after it came back."""
    now = clock.now()
    old = floor.make_order(job=False, status="accepted", venue_order_id="v-1", created_at=now - timedelta(hours=6))
    broker.place(request_of(old))
    missed = broker.execute("v-1", "4", "190")
    broker.executions[-1] = replace(missed, filled_at=now - timedelta(hours=5))
    at_venue(floor)
    floor.hear(broker.update("fill", "v-3", broker.execute("v-3", "10", "190")))

    floor.pull()

    assert number(floor.read(old).filled_quantity) == "4"
    assert broker.calls[-3:] == ["open_orders", "fills", "fills"]


def test_an_order_that_the_venue_forgot_asks_a_person(floor: Floor, broker: Broker):
    order = at_venue(floor)
    del broker.orders["v-1"]

    floor.pull()

    assert floor.read(order).status == "accepted"
    assert floor.incidents() == [("order.vanished", "open")]


def test_a_submitting_order_in_the_venues_list_is_there(floor: Floor, broker: Broker):
    order = floor.make_order()
    broker.fail("place_order", LOST, performs=True)
    floor.run()

    floor.pull()

    assert (floor.read(order).status, floor.read(order).venue_order_id) == ("accepted", "v-1")


def test_the_fill_of_an_order_whose_answer_was_lost_is_found_by_our_own_id(floor: Floor, broker: Broker):
    """It is not open at the venue any more, and only its executions name the venue's id."""
    order = floor.make_order()
    broker.fail("place_order", LOST, performs=True)
    floor.run()
    broker.execute("v-1", "10", "190")

    floor.pull()

    assert (floor.read(order).status, number(floor.read(order).filled_quantity)) == ("filled", "10")


def test_one_process_at_a_time_reads_an_account(floor: Floor, broker: Broker):
    assert take_turn(f"pull:{floor.risk_account.id}", seconds=30)
    with pytest.raises(AccountBeingPulled):
        floor.pull()
    assert broker.calls == []
    end_turn(f"pull:{floor.risk_account.id}")
    floor.pull()
    floor.pull()
    assert broker.calls.count("open_orders") == 2


def test_a_pull_that_fails_to_the_last_leaves_it_to_beat(floor: Floor, broker: Broker):
    at_venue(floor)
    broker.execute("v-1", "10", "190")
    floor.hear(broker.update("fill", "v-1"))
    broker.fail("open_orders", AWAY, times=8)

    for attempt in range(8):
        assert floor.run_one(ahead=100 * (attempt + 1))

    (job,) = floor.jobs(kind="order.pull")
    assert (job.state, job.attempts, floor.incidents()) == ("succeeded", 8, [])


def test_which_accounts_are_read(floor: Floor, broker: Broker):
    ours = (floor.tenant.id, floor.risk_account.id)
    with system_scope():
        assert (accounts_to_pull(are_open=True), accounts_to_pull(are_open=False)) == ([], [ours])
    floor.make_order()
    with system_scope():
        assert accounts_to_pull(are_open=True) == [ours]


def test_an_account_whose_stream_is_listened_to_is_read_now_and_then(floor: Floor):
    floor.make_order()
    stream = stream_turn(floor.risk_account.connection_id)
    keep_turn(stream, seconds=6)
    ours = (floor.tenant.id, floor.risk_account.id)
    with system_scope():
        assert [accounts_to_pull(are_open=True) for _ in range(3)] == [[ours], [], []]
        assert accounts_to_pull(are_open=False) == [ours]
        end_turn(stream)
        assert [accounts_to_pull(are_open=True) for _ in range(2)] == [[ours], [ours]]


def test_positions_are_not_compared_before_they_were_taken_over(floor: Floor, broker: Broker):
    with write_scope(floor.actor):
        RiskAccount.objects.update(means_as_of=None)
    broker.brought_in["AAPL"] = Decimal("3")

    floor.pull()

    assert ("positions" in broker.calls, floor.incidents()) == (False, [])


@pytest.mark.parametrize(
    ("values", "age", "kind"),
    [
        ({"status": "approved"}, 301, "order.submit"),
        ({"status": "submitting"}, 301, "order.submit"),
        ({"status": "unknown"}, 16, "order.resolve"),
        ({"status": "accepted", "venue_order_id": "v-1", "pending": "cancel"}, 16, "order.cancel"),
        ({"status": "approved"}, 299, ""),
        ({"status": "unknown"}, 14, ""),
        ({"status": "accepted", "venue_order_id": "v-1"}, 10_000, ""),
    ],
)
def test_an_order_that_nobody_works_on_gets_its_job_back(floor: Floor, broker: Broker, values, age: int, kind: str):
    at_venue(floor)
    at = clock.now() - timedelta(seconds=age)
    floor.make_order(job=False, updated_at=at, created_at=at, **values)

    floor.pull()
    floor.pull()

    assert [job.kind for job in floor.jobs(state="queued")] == ([kind] if kind else [])


def test_an_old_approval_that_lay_about_is_denied(floor: Floor, broker: Broker):
    at = clock.now() - timedelta(seconds=400)
    order = floor.make_order(job=False, updated_at=at, created_at=at)

    floor.pull()
    floor.run()

    assert (floor.read(order).status, floor.read(order).denial_code) == ("denied", "approval_expired")
    assert "place_order" not in broker.calls


def test_a_drift_opens_its_incident_and_its_end_resolves_it(floor: Floor, broker: Broker):
    broker.brought_in["AAPL"] = Decimal("3")
    floor.pull()
    assert floor.incidents() == [("position_drift", "open")]

    broker.brought_in.clear()
    floor.pull()
    assert floor.incidents() == [("position_drift", "open")]  # once a minute is enough
    end_turn(f"drift:{floor.risk_account.id}")
    floor.pull()

    assert floor.incidents() == [("position_drift", "resolved")]


def test_positions_that_agree_are_no_drift(floor: Floor, broker: Broker):
    at_venue(floor)
    floor.hear(broker.update("fill", "v-1", broker.execute("v-1", "10", "190")))

    floor.pull()

    assert "positions" in broker.calls
    assert floor.incidents() == []


def test_positions_are_not_compared_while_something_is_open(floor: Floor, broker: Broker):
    broker.brought_in["AAPL"] = Decimal("3")
    at_venue(floor)

    floor.pull()

    assert "positions" not in broker.calls
    assert floor.incidents() == []


def test_a_fill_that_comes_while_positions_are_read_makes_no_drift(floor: Floor, broker: Broker):
    at_venue(floor)
    broker.change("v-1", status="canceled")
    floor.hear(broker.update("canceled", "v-1"))
    fill = broker.execute("v-1", "4", "190", status="canceled")
    broker.executions.clear()  # the list of executions lags behind, the stream does not
    broker.on_call["positions"] = lambda: floor.hear(broker.update("fill", "v-1", fill))

    floor.pull()

    assert [kind for kind, _state in floor.incidents()] == ["order.late_fill"]


def test_a_venue_that_is_away_leaves_everything_and_the_turn_ends(floor: Floor, broker: Broker):
    order = at_venue(floor)
    broker.fail("fills", AWAY)

    with pytest.raises(ProviderError):
        floor.pull()
    floor.pull()

    assert floor.read(order).status == "accepted"
