"""What Prometheus and the dashboard see of the queues."""

from datetime import datetime, timedelta

import pytest
from django.db import connection

from apps.core.actor import system_actor
from apps.core.scope import staff_scope, write_scope
from apps.jobs import metrics, selectors
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.jobs.services import discard_job
from tests import databases
from tests.factories.jobs import OTHER_TENANT, TENANT, lease_job, make_job


def test_queues_are_counted_across_tenants(now: datetime) -> None:
    make_job(now=now - timedelta(seconds=30))
    make_job(now=now - timedelta(seconds=90), tenant_id=OTHER_TENANT)
    make_job(now=now, run_at=now + timedelta(hours=1))
    leased = make_job(now=now)
    with write_scope(system_actor("tests", tenant_id=TENANT)):
        Job.objects.filter(id=leased.id).update(state=JobState.LEASED, leased_until=now)
    with staff_scope():
        assert selectors.queue_states(now=now) == [
            selectors.QueueState("test", due=2, scheduled=1, leased=1, oldest_due=timedelta(seconds=90))
        ]


def test_outcomes_are_counted_by_kind_and_state(now: datetime) -> None:
    jobs = [make_job(now=now) for _ in range(4)]
    with write_scope(system_actor("tests", tenant_id=TENANT)):
        for job, state, ago in zip(jobs, ["succeeded", "succeeded", "dead", "succeeded"], [1, 2, 3, 400], strict=True):
            Job.objects.filter(id=job.id).update(state=state, finished_at=now - timedelta(seconds=ago))
    with staff_scope():
        assert [(o.kind, o.state, o.count) for o in selectors.outcomes_since(now - timedelta(minutes=5))] == [
            ("test.note", "dead", 1),
            ("test.note", "succeeded", 2),
        ]
        assert selectors.dead_count() == 1


@pytest.mark.worker_login
def test_a_discarded_job_does_not_count_as_one_that_took_until_then(now: datetime) -> None:
    job = make_job(now=now - timedelta(days=3))
    lease_job(now - timedelta(days=3))
    actor = system_actor("tests", tenant_id=TENANT)
    with write_scope(actor):
        Job.objects.filter(id=job.id).update(state=JobState.DEAD, leased_until=None)
        discard_job(job_id=job.id, actor=actor, now=now)
    databases.log_in("web", connection.settings_dict["NAME"])
    with staff_scope():
        assert selectors.outcomes_since(now) == [selectors.Outcome("test.note", "discarded", 1, 0, 0)]


def test_metric_families_are_complete(now: datetime) -> None:
    make_job(now=now)
    with staff_scope():
        families = {family.name: family.samples for family in metrics.collect()}
    assert sorted(families) == [
        "finops_jobs_dead",
        "finops_jobs_duration_seconds",
        "finops_jobs_finished",
        "finops_jobs_oldest_due_seconds",
        "finops_jobs_queued",
    ]
    assert [(s.labels, s.value) for s in families["finops_jobs_queued"]] == [
        ({"queue": "test", "state": "due"}, 1),
        ({"queue": "test", "state": "scheduled"}, 0),
        ({"queue": "test", "state": "leased"}, 0),
    ]
