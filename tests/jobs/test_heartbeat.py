"""A lease lives as long as its worker."""

import time

import pytest
from django.db import connection

from apps.core import clock
from apps.core.scope import system_scope, tenant_scope, write_scope
from apps.incidents.models import Incident
from apps.jobs import runner
from apps.jobs.models import Job
from apps.jobs.services import settle
from apps.jobs.types import JobKind, Lease
from tests.factories.incidents import make_incident
from tests.factories.jobs import TENANT, make_handler, make_job

pytestmark = pytest.mark.worker_login

SHORT = JobKind("test.short_lease", queue="test", lease_seconds=1, max_attempts=3)


LIMITED = JobKind("test.limited", queue="test", lease_seconds=30, max_attempts=3, soft_seconds=1, hard_seconds=1)


def _stored() -> Job:
    with tenant_scope(TENANT):
        return Job.objects.get()


def test_a_job_that_takes_longer_than_its_lease_keeps_it() -> None:
    def act(_lease: Lease) -> None:
        deadline = time.monotonic() + 1.6
        while time.monotonic() < deadline:
            time.sleep(0.2)
            runner.sweep(now=clock.now())

    make_handler(SHORT, act)
    make_job(kind=SHORT, now=clock.now())
    assert runner.run_next("test", worker="w1") is True
    stored = _stored()
    assert (stored.state, stored.attempts, stored.last_error_code) == ("succeeded", 1, "")
    assert stored.heartbeat_at is not None
    assert stored.started_at is not None
    assert (stored.heartbeat_at - stored.started_at).total_seconds() > 1


def test_a_worker_that_has_lost_its_lease_learns_of_it_and_commits_nothing() -> None:
    lost: list[bool] = []

    def act(lease: Lease) -> None:
        with system_scope(), connection.cursor() as cursor:
            # As if this machine had been asleep: another worker has taken the job over.
            cursor.execute("UPDATE jobs_job SET fence = fence + 1, leased_by = 'w2'")
        deadline = time.monotonic() + 5
        while not lease.lost and time.monotonic() < deadline:
            time.sleep(0.02)
        lost.append(lease.lost)
        with write_scope(lease.actor):
            make_incident(now=clock.now())
            settle(lease, now=clock.now())

    make_handler(SHORT, act)
    make_job(kind=SHORT, now=clock.now())
    runner.run_next("test", worker="w1")
    assert lost == [True]
    assert (_stored().state, _stored().leased_by) == ("leased", "w2")
    with tenant_scope(TENANT):
        assert Incident.objects.count() == 0


def test_a_worker_that_cannot_extend_its_lease_in_time_takes_it_for_lost() -> None:
    lost: list[bool] = []

    def act(lease: Lease) -> None:
        deadline = time.monotonic() + 10
        with system_scope():
            Job.objects.select_for_update().get(id=lease.job_id)
            while not lease.lost and time.monotonic() < deadline:
                time.sleep(0.02)
        lost.append(lease.lost)

    make_handler(SHORT, act)
    make_job(kind=SHORT, now=clock.now())
    runner.run_next("test", worker="w1")
    assert lost == [True]
    assert (_stored().state, _stored().leased_by) == ("leased", "w1")


def test_a_lease_that_was_not_extended_in_time_settles_nothing_even_if_nobody_has_taken_it_over() -> None:
    def act(lease: Lease) -> None:
        lease.lost = True  # what the heartbeat says when the database cannot be reached until the lease is over
        with write_scope(lease.actor):
            make_incident(now=clock.now())
            settle(lease, now=clock.now())

    make_handler(SHORT, act)
    make_job(kind=SHORT, now=clock.now())
    runner.run_next("test", worker="w1")
    assert (_stored().state, _stored().leased_by) == ("leased", "w1")
    with tenant_scope(TENANT):
        assert Incident.objects.count() == 0


def test_at_the_hard_limit_the_job_is_queued_again_and_what_its_handler_still_does_is_not_kept() -> None:
    """This process is no worker's child, so its handler is neither interrupted nor ended."""

    def linger(lease: Lease) -> None:
        deadline = time.monotonic() + 10
        while _stored().state == "leased" and time.monotonic() < deadline:
            time.sleep(0.05)
        with write_scope(lease.actor):
            make_incident(now=clock.now())
            settle(lease, now=clock.now())

    make_handler(LIMITED, linger)
    make_job(kind=LIMITED, now=clock.now())
    runner.run_next("test", worker="w1")
    stored = _stored()
    assert (stored.state, stored.attempts, stored.last_error_code) == ("queued", 1, "time_limit")
    assert stored.last_error_message == "the attempt took longer than 1 s"
    assert "in linger" in stored.last_traceback
    with tenant_scope(TENANT):
        assert Incident.objects.count() == 0
