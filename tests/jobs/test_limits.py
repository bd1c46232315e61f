"""Handlers that hang and jobs that end their process, in real workers: others go on, and the cause is kept."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from tests.factories.jobs import TENANT, make_job
from tests.jobs.live import beat, incidents, states
from tests.jobs.worker_kinds import FATAL, HANG, WORK
from tests.jobs.worker_process import WorkerProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.commits


def hang(*ways: str) -> dict[str, UUID]:
    return {how: make_job(kind=HANG, now=clock.now(), payload={"how": how}).id for how in ways}


def work(count: int) -> dict[str, int]:
    """Enqueue jobs that do their work; return what they leave when each takes effect once."""
    return {str(make_job(kind=WORK, now=clock.now(), payload={"seconds": "0.02"}).id): 1 for _ in range(count)}


def verdicts(jobs: Sequence[UUID]) -> list[tuple[str, int, str, str]]:
    with tenant_scope(TENANT):
        rows = Job.objects.in_bulk(jobs)
    found = [rows[job] for job in jobs]
    return [(job.state, job.attempts, job.last_error_code, job.last_error_message) for job in found]


def last_traceback(job: UUID) -> str:
    with tenant_scope(TENANT):
        return Job.objects.get(id=job).last_traceback


INTERRUPTED = ("dead", 2, "time_limit", "the attempt took longer than 1 s")
ENDED = ("dead", 2, "time_limit", "the attempt took longer than 3 s")


@pytest.mark.prove
def test_a_hung_handler_is_interrupted_at_the_soft_limit_whatever_it_waits_for(
    worker: WorkerProcess, valkey_url: str
) -> None:
    """The child goes on with the next job: its connection is as good as new."""
    jobs, done = hang("sleep", "spin", "read", "query"), work(10)
    with beat(valkey_url):
        wait_until(lambda: states() == {"dead": 4, "succeeded": 10}, what="four deaths", seconds=60)
    assert verdicts(list(jobs.values())) == [INTERRUPTED] * 4
    assert incidents("test.started") == {**{str(job): 2 for job in jobs.values()}, **done}
    assert incidents("test.effect") == done
    assert len(incidents("test.process")) <= 2, "no child was replaced"
    for how, job in jobs.items():
        assert f"in _{how}" in last_traceback(job)


@pytest.mark.prove
def test_a_handler_that_will_not_be_interrupted_ends_with_its_child_at_the_hard_limit(
    worker: WorkerProcess, valkey_url: str
) -> None:
    jobs, done = hang("catch"), work(10)
    with beat(valkey_url):
        wait_until(lambda: states() == {"dead": 1, "succeeded": 10}, what="the death", seconds=60)
        after = work(2)
        wait_until(lambda: states() == {"dead": 1, "succeeded": 12}, what="what came after", seconds=30)
    assert verdicts([jobs["catch"]]) == [ENDED]
    assert "in _catch" in last_traceback(jobs["catch"])
    assert incidents("test.effect") == done | after
    assert len(incidents("test.process")) == 2, "each attempt had a child of its own"


@pytest.mark.prove
def test_a_handler_that_blocks_the_interpreter_ends_with_its_child_some_time_later(
    worker: WorkerProcess, valkey_url: str
) -> None:
    jobs = hang("block")
    with beat(valkey_url):
        wait_until(lambda: states() == {"dead": 1}, what="the death", seconds=100)
        done = work(2)
        wait_until(lambda: states() == {"dead": 1, "succeeded": 2}, what="what came after", seconds=60)
    assert [verdict[:3] for verdict in verdicts([jobs["block"]])] == [("dead", 2, "worker_lost")]
    assert incidents("test.effect") == done
    assert "in _block" in worker.log.read_text()


@pytest.mark.prove
def test_among_threads_the_hard_limit_takes_the_job_away_and_ends_the_process_after_its_neighbours(
    environment: dict[str, str], valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Else the thread would keep its place, and with it what its transaction has locked."""
    log = tmp_path_factory.mktemp("threads") / "worker.log"
    with WorkerProcess(environment, log, pool="threads", concurrency=4) as worker, beat(valkey_url):
        jobs, done = hang("read"), work(10)
        slow = make_job(kind=WORK, now=clock.now(), payload={"seconds": "6"})
        wait_until(worker.has_ended, what="the end after the first attempt", seconds=30)
        assert incidents("test.effect") == {**done, str(slow.id): 1}
        assert states() == {"queued": 1, "succeeded": 11}
        worker.start()
        wait_until(worker.has_ended, what="the end after the second attempt", seconds=30)
    assert verdicts([jobs["read"]]) == [ENDED]
    assert "in _read" in last_traceback(jobs["read"])
    assert incidents("test.effect") == {**done, str(slow.id): 1}
    assert len(incidents("test.process")) == 2


@pytest.mark.prove
def test_jobs_that_end_their_process_are_set_aside_after_five_leases_and_hold_up_nobody(
    worker: WorkerProcess, valkey_url: str
) -> None:
    ways = ("killed", "aborted", "memory")
    fatal = [make_job(kind=FATAL, now=clock.now(), payload={"how": how}).id for how in ways]
    done = work(60)
    with beat(valkey_url):
        wait_until(lambda: states() == {"dead": 3, "succeeded": 60}, what="three deaths", seconds=120)
    lost = ("dead", 5, "worker_lost")
    assert [verdict[:3] for verdict in verdicts(fatal)] == [lost, lost, ("dead", 5, "unexpected_error")]
    assert verdicts(fatal)[2][3] == "MemoryError: "
    assert {job: incidents("test.started")[str(job)] for job in fatal} == dict.fromkeys(fatal, 5)
    assert incidents("test.effect") == done
    with tenant_scope(TENANT):
        assert set(Incident.objects.filter(kind="job.dead").values_list("target_id", flat=True)) == set(fatal)
