"""The Celery app with the kinds that the tests of real workers use: `celery -A tests.jobs.worker_app worker`."""

import os
import signal
import time

import django

django.setup()

from apps.core import clock  # noqa: E402  (models need the apps that the line above loads)
from apps.core.scope import write_scope  # noqa: E402
from apps.jobs.registry import handles  # noqa: E402
from apps.jobs.services import settle  # noqa: E402
from apps.jobs.types import Lease  # noqa: E402
from finops.celery import app  # noqa: E402
from tests.factories.incidents import make_incident  # noqa: E402
from tests.jobs.worker_kinds import POISON, WORK  # noqa: E402

__all__ = ["app"]


@handles(WORK)
def work(lease: Lease) -> None:
    """Take `seconds`, then leave one incident per job: its count says how often the job took effect."""
    with write_scope(lease.actor):
        make_incident(now=clock.now(), actor=lease.actor, kind="test.started", key=str(lease.job_id))
    time.sleep(float(lease.payload.get("seconds", "0")))
    with write_scope(lease.actor):
        make_incident(now=clock.now(), actor=lease.actor, kind="test.effect", key=str(lease.job_id))
        settle(lease, now=clock.now())


@handles(POISON)
def poison(_lease: Lease) -> None:
    """Kill the process that runs it."""
    os.kill(os.getpid(), signal.SIGKILL)
