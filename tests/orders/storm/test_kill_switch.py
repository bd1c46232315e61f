"""The kill switch against a worker that is a process of its own, in the middle of a send over real HTTP."""

import os
import signal
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.jobs.runner import sweep
from apps.orders.enums import SwitchScope
from apps.orders.models import Order
from apps.orders.services.kill_switch import SwitchResult, read_kill_switches, set_kill_switch
from tests.orders.storm.scene import Scene, wait_for
from tests.orders.storm.test_kills import use_up_the_limit

pytestmark = pytest.mark.worker_login


def engage(scene: Scene) -> SwitchResult:
    return set_kill_switch(
        scope=SwitchScope.TENANT, engaged=True, reason="fat finger", actor=scene.desk.actor, now=clock.now()
    )


def in_flight(scene: Scene) -> Any:
    with tenant_scope(scene.desk.tenant.id):
        return read_kill_switches().in_flight[None]


def assert_nothing_more_goes_out(scene: Scene) -> None:
    """Let workers do all that is due now and soon, and see that the venue hears of no order."""
    before, late = scene.posts(), scene.desk.make_order()
    for _again in range(3):
        sweep(now=clock.now())
        scene.desk.run(ahead=30)
    assert scene.posts() == before
    assert scene.desk.read(late).denial_code == "kill_switch_engaged"


def start_send(scene: Scene, order: Order) -> int:
    """Start a worker and return its pid once it has the order in its hands."""
    pid = scene.start_worker()
    wait_for(lambda: scene.status_of(order) == "submitting", what="submitting")
    return pid


def test_it_is_engaged_once_the_venue_has_answered(scene: Scene):
    order = scene.desk.make_order()
    scene.sandbox.fault("delay:1500", provider="alpaca", match="POST /v2/orders", count=1)
    pid = start_send(scene, order)
    started = time.monotonic()
    assert engage(scene).is_quiet
    assert time.monotonic() - started > 0.5
    assert scene.forks.wait(pid) == 0
    scene.assert_once(order, status="accepted")
    assert_nothing_more_goes_out(scene)
    assert scene.posts() == 1


def test_a_worker_that_stands_still_is_told_of(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    """It holds an order that it may still send: the switch is engaged all the same, for everybody else at once."""
    monkeypatch.setattr(settings, "KILL_SWITCH_WAIT_SECONDS", 1)
    order = scene.desk.make_order()
    use_up_the_limit(scene)
    pid = start_send(scene, order)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not engage(scene).is_quiet
        assert in_flight(scene)
        assert_nothing_more_goes_out(scene)
    finally:
        os.kill(pid, signal.SIGCONT)
    scene.forks.wait(pid)
    assert engage(scene).is_quiet
    assert not in_flight(scene)
    assert scene.posts() <= 1
    assert_nothing_more_goes_out(scene)


def test_what_a_dead_worker_left_is_not_sent_any_more(scene: Scene):
    order = scene.desk.make_order()
    use_up_the_limit(scene)
    scene.kill(start_send(scene, order))
    wait_for(lambda: engage(scene).is_quiet, what="the dead worker's session has ended")
    sweep(now=clock.now() + timedelta(seconds=60))
    scene.desk.run(ahead=70, most=3)
    # Nobody knows whether the dead worker's bytes still travel: it is looked for, and never sent again.
    assert scene.status_of(order) == "unknown"
    assert scene.posts() == 0
    assert_nothing_more_goes_out(scene)
