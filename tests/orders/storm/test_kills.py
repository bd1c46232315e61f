"""SIGKILL at the instants that matter, and every way in which an answer can be lost: one order, its true state."""

import pytest
from django.db import connection

from apps.orders.services.turns import end_turn
from apps.providers.adapters.alpaca.hosts import LIMITS
from apps.providers.transport.limiter import Limiter
from tests.orders.storm.scene import Scene, pull, wait_for

pytestmark = pytest.mark.worker_login


def test_killed_before_the_lease(scene: Scene):
    order = scene.desk.make_order()
    with scene.holding_up("LOCK TABLE jobs_job IN ACCESS EXCLUSIVE MODE"):
        pid = scene.start_worker()
        scene.wait_until_held_up()
        scene.kill(pid)
    assert [(job.state, job.attempts) for job in scene.desk.jobs()] == [("queued", 0)]

    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1


def test_killed_after_the_lease(scene: Scene):
    order = scene.desk.make_order()
    with scene.holding_up_account():
        pid = scene.start_worker()
        scene.wait_until_held_up()
        scene.kill(pid)
    assert (scene.status_of(order), [job.state for job in scene.desk.jobs()]) == ("approved", ["leased"])

    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1
    assert scene.desk.events(order) == ["approved", "submitted", "accepted"]


def test_killed_after_submitting_was_committed_and_before_anything_was_sent(scene: Scene):
    order = scene.desk.make_order()
    use_up_the_limit(scene)
    pid = scene.start_worker()
    wait_for(lambda: scene.status_of(order) == "submitting", what="submitting")
    scene.kill(pid)
    assert (scene.posts(), scene.venue_orders()) == (0, [])

    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1


def test_killed_after_the_venue_accepted_and_before_its_answer(scene: Scene):
    order = scene.desk.make_order()
    scene.sandbox.fault("delay:20000", provider="alpaca", match="POST /v2/orders", count=1)
    pid = scene.start_worker()
    wait_for(scene.venue_orders, what="the venue has it")
    scene.kill(pid)
    assert scene.status_of(order) == "submitting"

    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1
    assert scene.desk.events(order) == ["approved", "submitted", "accepted"]


def test_killed_after_the_answer_and_before_it_was_stored(scene: Scene):
    order = scene.desk.make_order()
    scene.sandbox.fault("delay:700", provider="alpaca", match="POST /v2/orders", count=1)
    pid = scene.start_worker()
    wait_for(lambda: scene.status_of(order) == "submitting", what="submitting")
    with scene.holding_up_account():
        scene.wait_until_held_up()
        scene.kill(pid)

    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1


def test_killed_before_the_fill_was_stored(scene: Scene):
    order = scene.desk.make_order()
    scene.take_over()
    scene.control("/order", order_id=scene.desk.read(order).venue_order_id, op="fill")
    with scene.holding_up_account():
        pid = scene.forks.start(pull, scene.database, scene.desk.tenant.id, scene.desk.risk_account.id)
        scene.wait_until_held_up()
        scene.kill(pid)
    assert (scene.status_of(order), scene.desk.fills()) == ("accepted", [])

    end_turns(scene)
    scene.desk.pull()
    end_turns(scene)
    scene.desk.pull()

    scene.assert_once(order, status="filled")
    assert len(scene.desk.fills()) == 1
    scene.assert_position()


@pytest.mark.parametrize("fault", ["drop_response", "status:504", "malformed", "throttle"])
def test_an_answer_that_proves_nothing_or_a_refusal_to_work(scene: Scene, fault: str):
    order = scene.desk.make_order()
    scene.sandbox.fault(fault, provider="alpaca", match="POST /v2/orders", count=1)
    scene.work()
    assert scene.status_of(order) == ("approved" if fault == "throttle" else "unknown")

    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == (2 if fault == "throttle" else 1)


def test_a_server_that_failed_without_doing_anything_leaves_the_order_unknown(scene: Scene):
    order = scene.desk.make_order()
    scene.sandbox.fault("status:500", provider="alpaca", match="POST /v2/orders", count=1)
    scene.work()

    for ahead in range(1, 6):
        scene.desk.run_one(ahead=10_000 * ahead)

    stored = scene.desk.read(order)
    assert (stored.status, stored.lookups, scene.venue_orders(), scene.posts()) == ("unknown", 5, [], 1)
    assert scene.desk.incidents() == [("order.outcome_unknown", "open")]


def test_the_database_ends_every_session_while_an_order_is_sent(scene: Scene):
    """As when PostgreSQL restarts: the answer comes, and there is nowhere to put it."""
    order = scene.desk.make_order()
    scene.sandbox.fault("delay:1500", provider="alpaca", match="POST /v2/orders", count=1)
    pid = scene.start_worker()
    wait_for(scene.venue_orders, what="the venue has it")
    scene.owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = 'finops_worker'"
    )
    assert scene.status_of(order) == "submitting"
    scene.forks.wait(pid)

    connection.close()
    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1


@pytest.mark.prove
def test_an_answer_beyond_the_deadline(scene: Scene):
    order = scene.desk.make_order()
    scene.sandbox.fault("delay:15000", provider="alpaca", match="POST /v2/orders", count=1)
    scene.work()
    assert scene.status_of(order) == "unknown"

    scene.take_over()

    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1


def use_up_the_limit(scene: Scene) -> None:
    """Use up what the venue allows in a while, so that the next call waits a little before it is made."""
    limiter = Limiter("alpaca.paper", str(scene.desk.risk_account.connection_id), LIMITS)
    while limiter.admit() == 0:
        pass


def end_turns(scene: Scene) -> None:
    """Let the turn of a dead process end, as it does by itself after half a minute."""
    end_turn(f"pull:{scene.desk.risk_account.id}")
