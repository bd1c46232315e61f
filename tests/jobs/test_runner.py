"""Leasing and running, on real commits, as the worker's login."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from apps.core import context, scope
from apps.core.actor import Actor, system_actor
from apps.core.scope import current_scope, system_scope, tenant_scope, write_scope
from apps.incidents.models import Incident
from apps.jobs import runner
from apps.jobs.enums import JobState
from apps.jobs.errors import LeaseLost, TimeLimitReached
from apps.jobs.models import Job
from apps.jobs.services import leasing, settle
from apps.jobs.types import JobKind, Lease
from tests.factories.incidents import make_incident
from tests.factories.jobs import OTHER_TENANT, TENANT, lease_job, make_handler, make_job, run_job, stored_job

pytestmark = pytest.mark.worker_login

ACTOR = system_actor("tests", tenant_id=TENANT)


def test_a_job_is_leased_run_and_settled(now: datetime) -> None:
    states: list[tuple[str, int, int, str]] = []
    job = make_job(now=now, payload={"id": "7"}, request_id="r-1")
    seen = make_handler(
        act=lambda _: states.append(
            (stored_job(job).state, stored_job(job).attempts, stored_job(job).fence, stored_job(job).leased_by)
        )
    )
    assert run_job(now) is True
    assert states == [("leased", 1, 1, "w1")]
    [lease] = seen
    assert (lease.payload, lease.attempt, lease.max_attempts, lease.is_last_attempt) == ({"id": "7"}, 1, 3, False)
    assert lease.actor == system_actor("test.note", tenant_id=TENANT, request_id="r-1")
    stored = stored_job(job)
    assert (stored.state, stored.finished_at, stored.leased_until) == ("succeeded", now, None)
    assert run_job(now) is False


def test_a_job_knows_the_releases_that_enqueued_and_last_ran_it(now: datetime, settings: Any) -> None:
    settings.RELEASE = "2026.11.1"
    job = make_job(now=now)
    settings.RELEASE = "2026.11.2"
    make_handler()
    run_job(now)
    assert (stored_job(job).release, stored_job(job).run_release) == ("2026.11.1", "2026.11.2")


def test_the_handler_runs_outside_any_scope_with_the_jobs_context(now: datetime) -> None:
    seen: list[tuple[object, str, Actor | None]] = []
    make_handler(act=lambda _: seen.append((current_scope(), context.current().request_id, context.current().actor)))
    make_job(now=now, request_id="r-9")
    run_job(now)
    [(scope, request_id, actor)] = seen
    assert (scope, request_id) == (None, "r-9")
    assert actor == system_actor("test.note", tenant_id=TENANT, request_id="r-9")
    assert context.current().request_id == ""


def test_higher_priority_first_then_the_longest_due(now: datetime) -> None:
    seen = make_handler()
    for name, priority, minutes in [("late", 0, 5), ("early", 0, 9), ("urgent", 5, 1), ("future", 9, -1)]:
        make_job(now=now, payload={"n": name}, priority=priority, run_at=now - timedelta(minutes=minutes))
    while run_job(now):
        pass
    assert [lease.payload["n"] for lease in seen] == ["urgent", "early", "late"]


def test_a_worker_leaves_kinds_that_it_does_not_know(now: datetime) -> None:
    job = make_job(now=now)
    assert run_job(now) is False
    assert (stored_job(job).state, stored_job(job).attempts) == ("queued", 0)


def test_a_handler_settles_in_its_own_transaction(now: datetime) -> None:
    def act(lease: Lease) -> None:
        with write_scope(lease.actor):
            make_incident(now=now)
            settle(lease, now=now)

    make_handler(act=act)
    job = make_job(now=now)
    run_job(now)
    assert stored_job(job).state == JobState.SUCCEEDED
    with tenant_scope(TENANT):
        assert Incident.objects.get().count == 1


def test_a_zombie_cannot_settle_and_its_work_is_rolled_back(now: datetime) -> None:
    job = make_job(now=now)
    zombie = lease_job(now)
    later = now + timedelta(seconds=61)
    runner.sweep(now=later)
    assert (stored_job(job).state, stored_job(job).last_error_code) == ("queued", "worker_lost")
    with pytest.raises(LeaseLost), write_scope(zombie.actor):
        make_incident(now=later)
        settle(zombie, now=later)
    successor = lease_job(later, "w2")
    assert (zombie.fence, successor.fence) == (1, 2)
    with pytest.raises(LeaseLost), system_scope():
        settle(zombie, now=later)
    with pytest.raises(LeaseLost), system_scope():
        leasing.extend(zombie, now=later)
    with tenant_scope(TENANT):
        assert Incident.objects.count() == 0
    assert (stored_job(job).state, stored_job(job).leased_by, stored_job(job).fence) == ("leased", "w2", 2)


def test_a_zombies_failure_does_not_touch_the_successors_lease(now: datetime) -> None:
    job = make_job(now=now)

    def act(_lease_: Lease) -> None:
        runner.sweep(now=now + timedelta(seconds=61))
        lease_job(now + timedelta(seconds=61), "w2")
        raise ValueError

    make_handler(act=act)
    run_job(now)
    assert (stored_job(job).state, stored_job(job).leased_by, stored_job(job).attempts) == ("leased", "w2", 2)


def test_the_sweep_leaves_leases_that_hold(now: datetime) -> None:
    job = make_job(now=now)
    lease_job(now)
    runner.sweep(now=now + timedelta(seconds=60))
    assert stored_job(job).state == JobState.LEASED


def test_the_sweep_wakes_queues_with_due_jobs_alone(now: datetime) -> None:
    make_handler()
    make_handler(JobKind("test.other", queue="other"))
    make_job(now=now, run_at=now + timedelta(seconds=5))
    with system_scope() as scope:
        runner.sweep(now=now)
        assert scope.wakes == set()
        runner.sweep(now=now + timedelta(seconds=5))
        assert scope.wakes == {"jobs:test"}


def test_a_drain_runs_what_is_due_and_passes_the_wake_on_once(now: datetime) -> None:
    seen = make_handler()
    for _ in range(3):
        make_job(now=now)
    with system_scope() as scope:
        scope.wakes.clear()
        assert runner.drain("test", worker="w1", stopping=lambda: False) == 3
        assert scope.wakes == {"jobs:test"}
    assert len(seen) == 3


def test_a_drain_of_one_job_or_of_none_that_it_may_have_wakes_nobody(now: datetime) -> None:
    make_handler()
    make_job(now=now)
    make_job(now=now, kind=JobKind("test.unknown", queue="test"), tenant_id=OTHER_TENANT)
    with system_scope() as scope:
        assert runner.drain("test", worker="w1", stopping=lambda: False) == 1
        assert scope.wakes == {"jobs:test"}, "another worker may know the kind that is left"
        scope.wakes.clear()
        assert runner.drain("test", worker="w1", stopping=lambda: False) == 0
        assert scope.wakes == set()


def test_a_drain_leases_nothing_once_the_worker_is_stopping(now: datetime) -> None:
    seen = make_handler()
    for _ in range(3):
        make_job(now=now)
    assert runner.drain("test", worker="w1", stopping=lambda: len(seen) == 1) == 1
    assert len(seen) == 1


@pytest.mark.commits
def test_an_interruption_before_the_end_of_a_scope_is_assured_does_not_reach_the_next_job(now: datetime) -> None:
    """The signal may come after a scope or a transaction has begun and before the block that ends it has."""
    seen = []

    def begin_and_be_interrupted(lease: Lease) -> None:
        seen.append(lease.job_id)
        if len(seen) == 1:
            transaction.atomic().__enter__()
            scope._current.set(scope.Scope("finops_app", TENANT, writable=True))
            lease.interrupted = True
            raise TimeLimitReached(lease.soft_seconds)

    make_handler(act=begin_and_be_interrupted)
    for _ in range(2):
        make_job(now=now)
    assert [run_job(now), run_job(now)] == [True, True]
    assert (current_scope(), connection.in_atomic_block) == (None, False)
    with tenant_scope(TENANT):
        ended = {job.id: (job.state, job.last_error_code) for job in Job.objects.all()}
    assert [ended[job] for job in seen] == [("queued", "time_limit"), ("succeeded", "")]


def test_the_platform_role_cannot_read_a_tenants_business_rows_while_leasing(now: datetime) -> None:
    make_job(now=now, tenant_id=OTHER_TENANT)
    assert lease_job(now).tenant_id == OTHER_TENANT
    with system_scope(), pytest.raises(Exception, match="permission denied"):
        Incident.objects.count()
