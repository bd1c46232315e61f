"""Real Celery workers on a real Valkey of their own: killed, wiped, stopped. Nothing is lost or done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from celery import Celery
from django.conf import settings

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from finops.embedded.engines import Engines
from tests.factories.jobs import TENANT, make_job
from tests.jobs.live import beat, incidents, states
from tests.jobs.worker_kinds import POISON, WORK
from tests.jobs.worker_process import ROOT, WorkerProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.commits


def _send_sweep(valkey_url: str, queue: str) -> None:
    with Celery("web", broker=valkey_url) as sender:
        sender.send_task("jobs.sweep", queue=queue, retry=False, ignore_result=True)


def _restart_broker(engines: Engines) -> None:
    """Stop Valkey and start it again, empty."""
    assert engines.valkey is not None
    engines.valkey.stop()
    engines.valkey.start()


def _all_succeeded(jobs: int) -> bool:
    return states() == {"succeeded": jobs}


@pytest.mark.prove
def test_a_wiped_broker_loses_nothing_and_a_stopping_worker_finishes_its_job(
    worker: WorkerProcess, valkey_url: str
) -> None:
    with beat(valkey_url), redis.Redis.from_url(valkey_url) as broker:
        jobs = [make_job(kind=WORK, now=clock.now(), payload={"seconds": "0.05"}) for _ in range(20)]
        wait_until(lambda: states().get("succeeded", 0) >= 3, what="the first jobs")
        broker.flushall()
        wait_until(lambda: _all_succeeded(20), what="all jobs after FLUSHALL")
        assert incidents("test.effect") == {str(job.id): 1 for job in jobs}

        slow = [make_job(kind=WORK, now=clock.now(), payload={"seconds": "2"}) for _ in range(5)]
        wait_until(lambda: states().get("leased") == 2, what="both children at work")
        assert worker.terminate() == 0
    assert states() == {"succeeded": 22, "queued": 3}
    with tenant_scope(TENANT):
        untouched = Job.objects.filter(id__in=[job.id for job in slow], state="queued")
        assert list(untouched.values_list("attempts", flat=True)) == [0, 0, 0]


@pytest.mark.long
def test_a_killed_worker_loses_nothing_and_the_next_one_sets_poison_aside_and_serves_every_queue(
    worker: WorkerProcess, valkey_url: str
) -> None:
    with beat(valkey_url):
        job = make_job(kind=WORK, now=clock.now(), payload={"seconds": "0.6"})
        wait_until(lambda: incidents("test.started") == {str(job.id): 1}, what="the job's start")
        worker.kill()
        assert states() == {"leased": 1}
        make_job(kind=POISON, now=clock.now())
        worker.start()
        wait_until(lambda: states() == {"succeeded": 1, "dead": 1}, what="one success, one death", seconds=30)
    assert (incidents("test.started"), incidents("test.effect")) == ({str(job.id): 2}, {str(job.id): 1})
    with tenant_scope(TENANT):
        poison = Job.objects.get(kind="test.poison")
        assert (poison.attempts, poison.last_error_code) == (2, "worker_lost")
        incident = Incident.objects.get(kind="job.dead")
        assert (incident.target_type, incident.target_id, incident.severity) == ("job", poison.id, "warning")
    assert_every_queue_is_served(valkey_url)


def assert_every_queue_is_served(valkey_url: str) -> None:
    """By a worker that is told none; also after the broker has forgotten what the worker listens to."""
    assert set(settings.CELERY_TASK_QUEUES) == {"default", "sync", "webhooks", "orders", "market", "logs"}
    for wiped in (False, True):
        if wiped:
            with redis.Redis.from_url(valkey_url) as broker:
                broker.flushall()
        for queue in settings.CELERY_TASK_QUEUES:
            done = states()["succeeded"] + 1
            make_job(kind=WORK, now=clock.now())
            _send_sweep(valkey_url, queue)  # finds the job, wherever it is run
            wait_until(lambda: states()["succeeded"] == done, what=f"a task from {queue}")  # noqa: B023  (it is called at once)


@pytest.mark.prove
def test_a_worker_that_is_stopped_while_it_hands_over_a_hint_ends_within_its_grace(
    environment: dict[str, str], valkey_url: str, tmp_path: Path
) -> None:
    """The hint is in the child's pipe, which has not said that it took it: nobody will read what it says of it."""
    log = tmp_path / "worker.log"
    with WorkerProcess(environment, log, concurrency=1) as worker, redis.Redis.from_url(valkey_url) as broker:
        [child] = worker.children()
        os.kill(child, signal.SIGSTOP)
        _send_sweep(valkey_url, "default")
        wait_until(lambda: broker.llen("default") == 0, what="the hint on its way to the child")
        time.sleep(0.5)
        worker.ask_to_end()
        wait_until(lambda: "Warm shutdown" in log.read_text(), what="the beginning of the end")
        time.sleep(0.5)
        os.kill(child, signal.SIGCONT)
        assert worker.exit_code() == 0


@pytest.mark.prove
def test_every_job_takes_effect_exactly_once_under_kills_and_wipes(
    worker: WorkerProcess, engines: Engines, valkey_url: str
) -> None:
    dice, restart = random.Random(20260302), lambda: _restart_broker(engines)

    def wipe() -> None:
        with redis.Redis.from_url(valkey_url) as broker:
            broker.flushall()

    def crash() -> None:
        worker.kill()
        worker.start()

    with beat(valkey_url):
        jobs = [
            make_job(kind=WORK, now=clock.now(), payload={"seconds": str(dice.uniform(0, 0.4))}) for _ in range(150)
        ]
        for disaster in (wipe, crash, restart, crash, wipe, restart, crash, wipe):
            time.sleep(dice.uniform(0.5, 2))
            disaster()
        wait_until(lambda: _all_succeeded(150), what="all jobs", seconds=90)
    assert incidents("test.effect") == {str(job.id): 1 for job in jobs}


@pytest.mark.prove
def test_the_real_beat_finds_jobs_that_nobody_woke(
    worker: WorkerProcess, environment: dict[str, str], engines: Engines, tmp_path: Path
) -> None:
    make_job(kind=WORK, now=clock.now())
    time.sleep(1)
    assert states() == {"queued": 1}
    with (tmp_path / "beat.log").open("wb") as log:
        beat_process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "finops", "beat"],
            cwd=ROOT,
            env={**environment, "DATABASE_URL": environment["DATABASE_WORKER_URL"]},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: _all_succeeded(1), what="the job, swept up", seconds=60)
        _restart_broker(engines)
        make_job(kind=WORK, now=clock.now())
        wait_until(lambda: _all_succeeded(2), what="the next job, after the broker's restart", seconds=40)
    except AssertionError as error:
        said = "\n".join(f"{log}:\n{log.read_text()[-3000:]}" for log in (worker.log, tmp_path / "beat.log"))
        raise AssertionError(f"{error}\n{said}") from error
    finally:
        beat_process.terminate()
        assert beat_process.wait(timeout=10) == 0
