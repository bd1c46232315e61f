"""Queues have their rows, and what is long over is forgotten."""

from datetime import datetime, timedelta

import pytest

from apps.core.scope import tenant_scope, write_scope
from apps.jobs.models import Job, Queue
from apps.jobs.services import ensure_queues, forget_finished
from tests.factories.jobs import TENANT, make_job
from tests.jobs.test_services import ACTOR

pytestmark = pytest.mark.worker_login


def end(job: Job, state: str, at: datetime) -> None:
    with write_scope(ACTOR):
        Job.objects.filter(id=job.id).update(state=state, finished_at=at)


def test_queues_are_written_once_and_keep_their_bounds(now: datetime) -> None:
    Queue.objects.create(name="sync", max_running=3)
    ensure_queues(["sync", "orders"])
    ensure_queues(["sync", "orders"])
    assert list(Queue.objects.values_list("name", "max_running")) == [("orders", None), ("sync", 3)]


def test_what_ended_well_is_forgotten_in_batches_and_dead_jobs_stay(now: datetime) -> None:
    old, recent = now - timedelta(days=91), now - timedelta(days=89)
    for state, at in [("succeeded", old), ("succeeded", old), ("discarded", old), ("dead", old), ("succeeded", recent)]:
        end(make_job(now=now), state, at)
    make_job(now=now)
    before = now - timedelta(days=90)
    assert [forget_finished(before=before, batch=2) for _ in range(3)] == [2, 1, 0]
    with tenant_scope(TENANT):
        assert sorted(Job.objects.values_list("state", flat=True)) == ["dead", "queued", "succeeded"]
