"""Sending again what an endpoint missed: in batches, in order, to the end."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

import apps.webhooks.tasks  # noqa: F401  (registers the handlers, as a worker does when it starts)
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.scope import tenant_scope, write_scope
from apps.jobs.errors import LeaseLost
from apps.jobs.models import Job
from apps.jobs.runner import run_next
from apps.jobs.services import discard_job
from apps.jobs.services.leasing import lease_of
from apps.outbox.services import emit_many, relay_events
from apps.webhooks.models import Endpoint, Recovery
from apps.webhooks.services import (
    claim,
    continue_recovery,
    delete_endpoint,
    push_recoveries,
    recover,
    send_test_event,
    settle,
    update_endpoint,
)
from apps.webhooks.services.recovery import BATCH
from apps.webhooks.types import Attempt
from tests.factories.outbox import new_event
from tests.factories.webhooks import answer_due, deliveries_of, make_endpoint, relay, statuses_of

pytestmark = pytest.mark.worker_login
HOUR = timedelta(hours=1)


@pytest.fixture
def actor(acme) -> Actor:
    return system_actor("tests", tenant_id=acme.id)


def lose(acme, count: int, now: datetime) -> Endpoint:
    endpoint = make_endpoint(acme, now=now).endpoint
    actor = system_actor("tests", tenant_id=acme.id)
    news = [new_event("order.filled") for _ in range(count)]
    # One lane begins in the first batch of a recovery, and ends in the last.
    news[-1] = replace(news[-1], entity_id=news[0].entity_id)
    with write_scope(actor):
        emit_many(news, actor=actor, now=now)
    while relay_events(now=now):
        pass
    while answer_due(now, status=410, error="gone"):
        pass
    assert statuses_of(endpoint) == ["failed"] * count
    return endpoint


def recoveries(tenant_id: UUID) -> list[tuple[int, int, str]]:
    with tenant_scope(tenant_id):
        return [(one.queued_again, one.total, one.status) for one in Recovery.objects.order_by("id")]


def test_a_long_recovery_goes_on_in_batches_and_tells_how_far_it_is(acme, actor: Actor, now: datetime) -> None:
    endpoint = lose(acme, 2 * BATCH + 7, now)
    begun = recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now)
    assert (begun.queued_again, begun.total, begun.status) == (500, 1_007, "running")
    assert statuses_of(endpoint) == ["pending"] * 500 + ["failed"] * 507
    # Asked again, the same one goes on.
    again = recover(endpoint_id=endpoint.id, since=now + HOUR, actor=actor, now=now)
    assert (again.id, again.since, again.queued_again, again.total) == (begun.id, now, 1_000, 1_007)
    while run_next("webhooks", worker="tests", now=now):
        pass
    assert recoveries(acme.id) == [(1_007, 1_007, "finished")]
    assert statuses_of(endpoint) == ["pending"] * 1_007
    assert recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now).total == 0
    with tenant_scope(acme.id):
        assert set(Job.objects.values_list("state", flat=True)) == {"succeeded"}


def test_while_a_long_recovery_is_at_work_nothing_overtakes_what_it_is_still_to_queue(
    acme, actor: Actor, now: datetime
) -> None:
    endpoint = lose(acme, BATCH + 7, now)
    last = deliveries_of(endpoint)[-1].entity_id
    relay(acme, entity_id=last, now=now)  # what waits already
    relay(acme, now=now)
    recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now)
    relay(acme, entity_id=last, now=now)  # what happens meanwhile
    relay(acme, now=now)
    send_test_event(endpoint_id=endpoint.id, actor=actor, now=now)
    sent = [*range(1, BATCH + 1), BATCH + 9]
    assert arrive(now) == sent
    relay(acme, now=now)
    assert arrive(now) == []
    while run_next("webhooks", worker="tests", now=now):
        pass
    first = [*range(BATCH + 1, BATCH + 8), *range(BATCH + 11, BATCH + 14)]
    assert [arrive(clock.now()) for _turn in range(3)] == [first, [BATCH + 8], [BATCH + 10]]
    assert set(statuses_of(endpoint)) == {"succeeded"}


def arrive(now: datetime) -> list[int]:
    """Have everything arrive that is due, once; return the sequences."""
    claims = claim(slots=2_000, shares={}, rooms={}, default_room=2_000, now=now)
    settle([Attempt(claim=one, at=now, duration_ms=1, status_code=200) for one in claims], random=Random(1), now=now)
    return [one.sequence for one in claims]


def test_a_recovery_goes_on_while_writing_is_switched_off(
    acme, actor: Actor, now: datetime, switch_read_only_as_owner
) -> None:
    endpoint = lose(acme, BATCH + 7, now)
    recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now)
    switch_read_only_as_owner(acme.id)
    while run_next("webhooks", worker="tests", now=now):
        pass
    assert recoveries(acme.id) == [(507, 507, "finished")]


def test_a_worker_that_has_lost_its_lease_queues_nothing(acme, actor: Actor, now: datetime) -> None:
    endpoint = lose(acme, BATCH + 7, now)
    recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now)
    with write_scope(actor):
        lease = lease_of(Job.objects.get(kind="webhook_recovery.continue"))
    with pytest.raises(LeaseLost):
        continue_recovery(lease, now=now)
    assert recoveries(acme.id) == [(500, 507, "running")]


def test_a_recovery_of_an_endpoint_that_was_deleted_is_over(acme, actor: Actor, now: datetime) -> None:
    endpoint = lose(acme, BATCH + 7, now)
    recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now)
    delete_endpoint(endpoint_id=endpoint.id, actor=actor, now=now)
    while run_next("webhooks", worker="tests", now=now):
        pass
    assert recoveries(acme.id) == [(500, 507, "finished")]


def test_a_recovery_whose_job_is_gone_gets_another_one(acme, actor: Actor, now: datetime) -> None:
    endpoint = lose(acme, BATCH + 7, now)
    recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now)
    push_recoveries(now=now)
    with write_scope(actor):
        (job,) = Job.objects.filter(kind="webhook_recovery.continue")
    discard_job(job_id=job.id, actor=actor, now=now)
    push_recoveries(now=now)
    while run_next("webhooks", worker="tests", now=now):
        pass
    assert recoveries(acme.id) == [(507, 507, "finished")]
    push_recoveries(now=now)
    with tenant_scope(acme.id):
        assert Job.objects.filter(kind="webhook_recovery.continue").count() == 2


def test_a_recovery_ends_where_its_endpoint_is_disabled(acme, actor: Actor, now: datetime) -> None:
    endpoint = lose(acme, BATCH + 7, now)
    recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now)
    update_endpoint(endpoint_id=endpoint.id, status="disabled", actor=actor, now=now)
    while run_next("webhooks", worker="tests", now=now):
        pass
    assert recoveries(acme.id) == [(500, 507, "finished")]
    assert "pending" not in statuses_of(endpoint)
