"""The relay: woken after a commit, swept by beat."""

from celery import shared_task

from apps.core import clock
from apps.outbox.services import relay_events

# A bound on one run; what is left is the next wake's or sweep's.
ROUNDS = 200


@shared_task(name="outbox.relay")
def relay() -> None:
    """Relay pending events until none is left that this worker can take."""
    for _ in range(ROUNDS):
        if not relay_events(now=clock.now()):
            return
