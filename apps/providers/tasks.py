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


@shared_task(name="providers.rotate_credentials", ignore_result=True)
def rotate_credentials() -> None:
    """Put every connection's credentials under the current key; nothing to do costs one query."""
    after = None
    while True:
        _rotated, after = services.rotate_credentials(now=clock.now(), after=after)
        if after is None:
            return
