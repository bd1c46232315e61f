"""What beat runs for this room."""

from celery import shared_task

from apps.core import clock
from apps.providers import services

_ROUNDS = 50


@shared_task(name="providers.schedule_due_syncs", ignore_result=True)
def schedule_due_syncs() -> None:
    """Request the syncs that are due, in batches; what is left is the next tick's."""
    for _ in range(_ROUNDS):
        if not services.schedule_due_syncs(now=clock.now()):
            return
