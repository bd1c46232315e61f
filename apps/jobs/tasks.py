"""Celery's way in: a task is a hint that a queue may have work. Losing one loses nothing."""

import os
import socket

from celery import shared_task

from apps.core import clock
from apps.jobs import runner, shutdown


@shared_task(name="jobs.drain", ignore_result=True)
def drain(queue: str) -> None:
    """Run the due jobs of a queue."""
    runner.drain(queue, worker=f"{socket.gethostname()}:{os.getpid()}", stopping=shutdown.has_begun)


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> None:
    """Reclaim expired leases and wake the queues that have due jobs. Beat sends it every two seconds."""
    runner.sweep(now=clock.now())
