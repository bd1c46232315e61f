"""The sequencer: woken after a commit, swept by beat."""

from celery import shared_task

from apps.audit.services import sequence_entries
from apps.core import clock

# A bound on one run; what is left is the next wake's or sweep's.
ROUNDS = 200


@shared_task(name="audit.sequence")
def sequence() -> None:
    """Number pending entries until none is left that this worker can take."""
    for _ in range(ROUNDS):
        if not sequence_entries(now=clock.now()):
            return
