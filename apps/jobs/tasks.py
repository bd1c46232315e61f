"""Celery's way in: a task is a hint that a queue may have work. Losing one loses nothing."""

import os
import socket
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from apps.core import clock
from apps.jobs import runner, shutdown
from apps.jobs.services import forget_finished

# A bound on one run; what is left is the next one's.
ROUNDS = 100


@shared_task(name="jobs.drain", ignore_result=True)
def drain(queue: str) -> None:
    """Run the due jobs of a queue."""
    runner.drain(queue, worker=f"{socket.gethostname()}:{os.getpid()}", stopping=shutdown.has_begun)


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> None:
    """Reclaim expired leases and wake the queues that have due jobs. Beat sends it every two seconds."""
    runner.sweep(now=clock.now())


@shared_task(name="jobs.forget", ignore_result=True)
def forget() -> None:
    """Delete jobs that ended well, or were discarded, longer ago than FINOPS_JOBS_KEPT_DAYS."""
    before = clock.now() - timedelta(days=settings.JOBS_KEPT_DAYS)
    for _ in range(ROUNDS):
        if not forget_finished(before=before):
            return
