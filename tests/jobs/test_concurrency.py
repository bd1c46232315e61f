"""Several workers on one queue: threads with connections of their own."""

from collections import Counter
from datetime import datetime
from uuid import UUID

import pytest

from apps.core.scope import system_scope, tenant_scope
from apps.jobs import runner
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from tests.factories.jobs import TENANT, make_handler, make_job
from tests.threads import at_once, begin

pytestmark = pytest.mark.worker_login


def _drain(jobs: int, workers: int, now: datetime) -> Counter[UUID]:
    for _ in range(jobs):
        make_job(now=now)
    seen = make_handler()

    def work(name: str) -> int:
        count = 0
        while runner.run_next("test", worker=name, now=now):
            count += 1
        return count

    counts = at_once(work, [f"w{n}" for n in range(workers)])
    assert sum(counts) == jobs
    assert sum(count > 0 for count in counts) >= 2
    return Counter(lease.job_id for lease in seen)


def _states() -> dict[str, int]:
    with tenant_scope(TENANT):
        return dict(Counter(Job.objects.values_list("state", flat=True)))


def test_no_job_is_leased_twice(now: datetime) -> None:
    assert set(_drain(jobs=40, workers=4, now=now).values()) == {1}
    assert _states() == {"succeeded": 40}


@pytest.mark.prove
def test_no_job_is_leased_twice_in_a_storm(now: datetime) -> None:
    assert set(_drain(jobs=2000, workers=8, now=now).values()) == {1}
    assert _states() == {"succeeded": 2000}


def test_concurrent_enqueues_of_one_key_make_one_job(now: datetime) -> None:
    found = at_once(lambda _worker: {make_job(now=now, unique_key="c-1").id for _ in range(10)}, range(4))
    assert len(set().union(*found)) == 1
    assert _states() == {"queued": 1}


def test_a_locked_job_does_not_hold_up_the_queue(now: datetime) -> None:
    first, second = make_job(now=now), make_job(now=now)
    seen = make_handler()
    with system_scope():
        Job.objects.select_for_update().get(id=first.id)
        begin(lambda: runner.run_next("test", worker="w2", now=now)).result(5)
    assert [lease.job_id for lease in seen] == [second.id]
    with tenant_scope(TENANT):
        assert Job.objects.get(id=first.id).state == JobState.QUEUED
