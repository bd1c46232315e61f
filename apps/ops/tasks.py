"""Celery's way in: a task is a hint that a verification may be due, a check of one, or a batch of dead letters."""

from celery import shared_task

from apps.core import clock, wake
from apps.ops.services import clear_some, request_due_verification, run_next_check


@shared_task(name="ops.verify", ignore_result=True)
def verify() -> None:
    """Run one check of the open verification, and wake the next: what else the queue holds comes in between."""
    request_due_verification(now=clock.now())
    if run_next_check(clock=clock.now):
        wake.send({"verification"})


@shared_task(name="ops.clear_dead_letters", ignore_result=True)
def clear_dead_letters() -> None:
    """Clear dead letters for a while, and come again if any are left that somebody has asked for."""
    if clear_some():
        wake.send({"dead_letters"})
