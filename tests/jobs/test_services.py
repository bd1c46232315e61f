"""Enqueue, replay and discard."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection

from apps.core import context
from apps.core.actor import Actor, system_actor
from apps.core.context import Context
from apps.core.errors import NotFound
from apps.core.scope import tenant_scope, write_scope
from apps.jobs.enums import JobState
from apps.jobs.errors import JobAlreadyQueued, JobNotDiscardable, JobNotReplayable
from apps.jobs.models import Job
from apps.jobs.services import discard_job, enqueue, replay_job
from tests.factories.jobs import NOTE, OTHER_TENANT, TENANT, make_job, stored_job

ACTOR = system_actor("tests", tenant_id=TENANT)
STAFF = Actor(kind="staff", label="ada", user_id=uuid4(), tenant_id=TENANT, request_id="r-staff")


def _kill(job: Job) -> None:
    with write_scope(ACTOR):
        Job.objects.filter(id=job.id).update(state=JobState.DEAD, finished_at=job.created_at)


def test_a_job_keeps_what_was_asked_for_and_who_asked(now: datetime) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    user = Actor(kind="user", label="ada", user_id=uuid4(), tenant_id=TENANT, request_id="r-1")
    with context.use(Context("r-1", trace, user)):
        job = enqueue(kind=NOTE, payload={"id": "7"}, actor=user, now=now, priority=5)
    stored = stored_job(job)
    assert (stored.kind, stored.queue, stored.priority, stored.payload) == ("test.note", "test", 5, {"id": "7"})
    assert (stored.state, stored.attempts, stored.max_attempts, stored.fence) == ("queued", 0, 3, 0)
    assert (stored.run_at, stored.created_at, stored.lease_seconds) == (now, now, 60)
    assert (stored.tenant_id, stored.request_id, stored.traceparent) == (TENANT, "r-1", trace)
    assert stored.actor == user.as_json()


def test_a_due_job_wakes_its_queue_and_a_later_one_does_not(now: datetime) -> None:
    with write_scope(ACTOR) as scope:
        make_job(now=now, run_at=now + timedelta(hours=1))
        assert scope.wakes == set()
        make_job(now=now)
        assert scope.wakes == {"jobs:test"}


def test_one_active_job_per_key(now: datetime) -> None:
    first = make_job(now=now, unique_key="c-1", payload={"n": 1})
    again = make_job(now=now, unique_key="c-1", payload={"n": 2})
    assert (again.id, again.payload) == (first.id, {"n": 1})
    assert make_job(now=now, unique_key="c-2").id != first.id
    assert make_job(now=now, unique_key="c-1", tenant_id=OTHER_TENANT).id != first.id
    assert make_job(now=now).id != make_job(now=now).id


def test_a_leased_job_still_holds_its_key_and_a_finished_one_frees_it(now: datetime) -> None:
    first = make_job(now=now, unique_key="c-1")
    with write_scope(ACTOR):
        Job.objects.filter(id=first.id).update(state=JobState.LEASED, leased_until=now)
    assert make_job(now=now, unique_key="c-1").id == first.id
    with write_scope(ACTOR):
        Job.objects.filter(id=first.id).update(state=JobState.SUCCEEDED, leased_until=None, finished_at=now)
    assert make_job(now=now, unique_key="c-1").id != first.id


def test_a_dead_job_is_replayed_with_all_its_attempts(now: datetime) -> None:
    job = make_job(now=now)
    with write_scope(ACTOR):
        Job.objects.filter(id=job.id).update(state=JobState.DEAD, attempts=3, finished_at=now)
    later = now + timedelta(hours=1)
    with write_scope(STAFF) as scope:
        replay_job(job_id=job.id, actor=STAFF, now=later)
        assert scope.wakes == {"jobs:test"}
    stored = stored_job(job)
    assert (stored.state, stored.attempts, stored.run_at, stored.finished_at) == ("queued", 0, later, None)


def test_a_discarded_job_can_come_back_too(now: datetime) -> None:
    job = make_job(now=now)
    discarded, before = discard_job(job_id=job.id, actor=STAFF, now=now)
    assert (before, discarded.state) == ("queued", "discarded")
    assert (stored_job(job).state, stored_job(job).finished_at) == ("discarded", now)
    replayed, before = replay_job(job_id=job.id, actor=STAFF, now=now)
    assert (before, replayed.state) == ("discarded", "queued")


def test_a_queued_job_is_not_replayed(now: datetime) -> None:
    job = make_job(now=now)
    with pytest.raises(JobNotReplayable):
        replay_job(job_id=job.id, actor=STAFF, now=now)


def test_a_dead_job_is_not_replayed_while_its_work_is_queued_again(now: datetime) -> None:
    dead = make_job(now=now, unique_key="c-1")
    _kill(dead)
    make_job(now=now, unique_key="c-1")
    with pytest.raises(JobAlreadyQueued):
        replay_job(job_id=dead.id, actor=STAFF, now=now)
    assert stored_job(dead).state == JobState.DEAD


def test_a_succeeded_job_is_not_discarded(now: datetime) -> None:
    job = make_job(now=now)
    with write_scope(ACTOR):
        Job.objects.filter(id=job.id).update(state=JobState.SUCCEEDED, finished_at=now)
    with pytest.raises(JobNotDiscardable):
        discard_job(job_id=job.id, actor=STAFF, now=now)


def test_another_tenants_job_is_not_found(now: datetime) -> None:
    job = make_job(now=now, tenant_id=OTHER_TENANT)
    _kill(job)
    for service in (replay_job, discard_job):
        with pytest.raises(NotFound):
            service(job_id=job.id, actor=STAFF, now=now)
    with tenant_scope(TENANT):
        assert Job.objects.count() == 0


def test_a_tenants_side_cannot_touch_the_fence(now: datetime) -> None:
    make_job(now=now)
    with pytest.raises(DatabaseError, match="permission denied"), write_scope(ACTOR), connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET fence = 0")
