"""The relay: woken after a commit, swept by beat."""

from celery import shared_task

from apps.core.sequencing import drain
from apps.outbox.services import OUTBOX


@shared_task(name="outbox.relay")
def relay() -> None:
    """Relay pending events until none is left that this worker can take."""
    drain(OUTBOX)
