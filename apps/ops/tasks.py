"""Celery's way in: a task is a hint that a verification may be due, or a check of one."""

from celery import shared_task

from apps.core import clock, wake
from apps.ops.services import request_due_verification, run_next_check


@shared_task(name="ops.verify", ignore_result=True)
def verify() -> None:
    """Run one check of the open verification, and wake the next: what else the queue holds comes in between."""
    request_due_verification(now=clock.now())
    if run_next_check(clock=clock.now):
        wake.send({"verification"})
