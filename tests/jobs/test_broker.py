"""The broker goes away under load, or is RabbitMQ: real workers and a real beat; nothing is lost or done twice."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.core import clock
from finops.embedded.engines import Engines
from tests.factories.jobs import make_job
from tests.jobs import rabbit
from tests.jobs.live import incidents, states
from tests.jobs.rabbit import Rabbit
from tests.jobs.worker_kinds import WORK
from tests.jobs.worker_process import ROOT, WorkerProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.commits, pytest.mark.prove]

AWAY_SECONDS = 60


@contextmanager
def real_beat(environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run `celery beat`, which must still be there at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "finops", "beat"],
            cwd=ROOT,
            env={**environment, "DATABASE_URL": environment["DATABASE_WORKER_URL"]},
            stdout=output,
            stderr=output,
        )
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}\n{log.read_text()[-3000:]}") from error
    finally:
        process.terminate()
        assert process.wait(timeout=15) == 0


def enqueue_for(seconds: float) -> dict[str, int]:
    """Enqueue a job every 250 ms; return what they leave when each takes effect once."""
    jobs, deadline = {}, time.monotonic() + seconds
    while time.monotonic() < deadline:
        jobs[str(make_job(kind=WORK, now=clock.now(), payload={"seconds": "0.05"}).id)] = 1
        time.sleep(0.25)
    return jobs


def all_done(count: int) -> None:
    wait_until(lambda: states() == {"succeeded": count}, what=f"all of {count} jobs", seconds=240)


def test_valkey_is_away_for_a_minute_under_load(
    worker: WorkerProcess, environment: dict[str, str], engines: Engines, tmp_path: Path
) -> None:
    assert engines.valkey is not None
    with real_beat(environment, tmp_path / "beat.log"):
        jobs = enqueue_for(3)
        engines.valkey.stop()
        try:
            jobs |= enqueue_for(AWAY_SECONDS)
        finally:
            engines.valkey.start()
        jobs |= enqueue_for(3)
        all_done(len(jobs))
    assert incidents("test.effect") == jobs
    assert worker.terminate() == 0


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[Rabbit]:
    if rabbit.server() is None:
        pytest.skip("rabbitmq-server is not installed")
    with rabbit.running(tmp_path) as node:
        yield node


@pytest.fixture
def rabbit_environment(rabbitmq: Rabbit, process_environment: dict[str, str], valkey_url: str) -> dict[str, str]:
    return {**process_environment, "REDIS_URL": valkey_url, "BROKER_URL": rabbitmq.url}


def test_rabbitmq_carries_hints_and_ticks_by_quorum_queues_and_may_be_away_for_a_minute(
    rabbitmq: Rabbit, rabbit_environment: dict[str, str], tmp_path: Path
) -> None:
    with (
        WorkerProcess(rabbit_environment, tmp_path / "worker.log") as worker,
        real_beat(rabbit_environment, tmp_path / "beat.log"),
    ):
        jobs = enqueue_for(3)
        all_done(len(jobs))
        wait_until(lambda: rabbitmq.queue_length("default") == 0, what="no hint that nobody takes", seconds=60)
        rabbitmq.delete_queues("default", "sync")
        jobs |= enqueue_for(3)
        all_done(len(jobs))
        rabbitmq.stop()
        try:
            jobs |= enqueue_for(AWAY_SECONDS)
        finally:
            rabbitmq.start()
        jobs |= enqueue_for(3)
        all_done(len(jobs))
        assert worker.terminate() == 0
    assert incidents("test.effect") == jobs


def test_a_web_process_wakes_a_worker_through_rabbitmq_without_a_beat(
    rabbitmq: Rabbit, rabbit_environment: dict[str, str], tmp_path: Path
) -> None:
    with WorkerProcess(rabbit_environment, tmp_path / "worker.log"):
        subprocess.run([sys.executable, "-c", _WAKE], cwd=ROOT, env=rabbit_environment, check=True, timeout=60)
        all_done(1)
    assert rabbitmq.queue_length("default") == 0


_WAKE = """
import django
django.setup()
from apps.core import clock
from finops.celery import waker
from tests.factories.jobs import make_job
from tests.jobs.worker_kinds import WORK
make_job(kind=WORK, now=clock.now())
assert waker.flush(10)
"""
