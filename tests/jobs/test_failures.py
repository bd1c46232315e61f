"""What becomes of a job whose handler fails, on real commits, as the worker's login."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from apps.core.errors import ReadOnly
from apps.core.scope import tenant_scope, write_scope
from apps.incidents.models import Incident
from apps.jobs import registry, runner
from apps.jobs.enums import JobState
from apps.jobs.errors import PermanentFailure, RetryLater, WorkerLost
from apps.jobs.services import settle
from apps.jobs.types import Lease
from tests.factories.incidents import make_incident
from tests.factories.jobs import TENANT, lease_job, make_handler, make_job, raiser, run_job, stored_job

pytestmark = pytest.mark.worker_login


def test_a_failure_after_settling_undoes_both_and_is_retried(now: datetime) -> None:
    def act(lease: Lease) -> None:
        with write_scope(lease.actor):
            make_incident(now=now)
            settle(lease, now=now)
            raise ValueError

    make_handler(act=act)
    job = make_job(now=now)
    run_job(now)
    assert (stored_job(job).state, stored_job(job).last_error_code) == ("queued", "unexpected_error")
    with tenant_scope(TENANT):
        assert Incident.objects.count() == 0


def test_an_error_after_the_settling_commit_changes_nothing(now: datetime) -> None:
    def act(lease: Lease) -> None:
        with write_scope(lease.actor):
            settle(lease, now=now)
        raise ValueError

    make_handler(act=act)
    job = make_job(now=now)
    run_job(now)
    assert (stored_job(job).state, stored_job(job).last_error_code) == ("succeeded", "")


def test_a_failed_attempt_is_kept_with_its_reason_and_retried(now: datetime) -> None:
    make_handler(act=raiser(ValueError("no row for Bearer abcdefghijklmnop0123")))
    job = make_job(now=now)
    run_job(now)
    stored = stored_job(job)
    assert (stored.state, stored.attempts, stored.finished_at) == ("queued", 1, None)
    assert (stored.last_error_code, stored.last_error_message) == (
        "unexpected_error",
        "ValueError: no row for Bearer [redacted]",
    )
    assert stored.last_traceback.startswith("Traceback (most recent call last)")
    assert "abcdefghijklmnop0123" not in stored.last_traceback
    assert now <= stored.run_at <= now + timedelta(seconds=10)
    assert run_job(now - timedelta(seconds=1)) is False


def test_a_job_dies_after_its_attempts_and_both_hooks_hear_of_it(now: datetime) -> None:
    deaths: list[tuple[str, int, str]] = []
    on_dead = lambda lease, error: deaths.append(("own", lease.attempt, str(error)))  # noqa: E731
    registry.on_every_death(lambda lease, error: deaths.append(("every", lease.attempt, str(error))))
    seen = make_handler(act=raiser(ValueError("still broken")), on_dead=on_dead)
    job = make_job(now=now)
    for minutes in range(5):
        run_job(now + timedelta(minutes=minutes))
    assert [(lease.attempt, lease.is_last_attempt) for lease in seen] == [(1, False), (2, False), (3, True)]
    assert deaths == [("own", 3, "still broken"), ("every", 3, "still broken")]
    stored = stored_job(job)
    assert (stored.state, stored.attempts, stored.finished_at) == ("dead", 3, now + timedelta(minutes=2))


def test_a_permanent_failure_dies_at_once(now: datetime) -> None:
    make_handler(act=raiser(PermanentFailure("credentials_refused", "The bank refused.")))
    job = make_job(now=now)
    run_job(now)
    stored = stored_job(job)
    assert (stored.state, stored.attempts, stored.last_error_code) == ("dead", 1, "credentials_refused")


def test_retry_later_sets_the_time(now: datetime) -> None:
    make_handler(act=raiser(RetryLater(90, "throttled")))
    job = make_job(now=now)
    run_job(now)
    stored = stored_job(job)
    assert (stored.state, stored.attempts, stored.run_at) == ("queued", 1, now + timedelta(seconds=90))


def test_read_only_gives_the_attempt_back(now: datetime) -> None:
    make_handler(act=raiser(ReadOnly("maintenance")))
    job = make_job(now=now)
    for minutes in range(9):
        run_job(now + timedelta(minutes=minutes))
    stored = stored_job(job)
    assert (stored.state, stored.attempts, stored.last_error_code) == ("queued", 0, "read_only")


def test_what_a_death_hook_writes_commits_with_the_death(now: datetime) -> None:
    def mourn(lease: Lease, _error: Exception) -> None:
        make_incident(now=now, actor=lease.actor)

    make_handler(
        act=raiser(PermanentFailure("gone", "Gone.")),
        on_dead=mourn,
    )
    job = make_job(now=now)
    run_job(now)
    with tenant_scope(TENANT):
        assert Incident.objects.get().opened_by == {"kind": "system", "label": "test.note", "tenant_id": str(TENANT)}
    assert stored_job(job).state == JobState.DEAD


def test_a_death_is_told_even_while_the_tenant_is_read_only(
    now: datetime, switch_read_only_as_owner: Callable[[UUID], None]
) -> None:
    def mourn(lease: Lease, _error: Exception) -> None:
        make_incident(now=now, actor=lease.actor)

    make_handler(act=raiser(PermanentFailure("gone", "Gone.")), on_dead=mourn)
    job = make_job(now=now)
    switch_read_only_as_owner(TENANT)
    run_job(now)
    assert stored_job(job).state == JobState.DEAD
    with tenant_scope(TENANT):
        assert Incident.objects.get().state == "open"


def test_a_broken_death_hook_keeps_no_dead_job_alive(now: datetime) -> None:
    def broken(lease: Lease, _error: Exception) -> None:
        make_incident(now=now, actor=lease.actor)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    make_handler(act=raiser(PermanentFailure("gone", "Gone.")), on_dead=broken)
    job = make_job(now=now)
    run_job(now)
    assert stored_job(job).state == JobState.DEAD
    with tenant_scope(TENANT):
        assert Incident.objects.count() == 0


def test_a_job_that_outlives_its_workers_is_set_aside(now: datetime) -> None:
    deaths: list[Exception] = []
    make_handler(on_dead=lambda _lease, error: deaths.append(error))
    job = make_job(now=now)
    at = now
    for _attempt in range(3):
        assert stored_job(job).state == JobState.QUEUED
        lease_job(at)
        at += timedelta(seconds=61)
        runner.sweep(now=at)
    stored = stored_job(job)
    assert (stored.state, stored.attempts, stored.last_error_code) == ("dead", 3, "worker_lost")
    assert stored.last_error_message == "The worker w1 fell silent during attempt 3."
    [error] = deaths
    assert isinstance(error, WorkerLost)
