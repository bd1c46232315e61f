"""The sequencer: woken after a commit, swept by beat."""

import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from apps.audit.services import AUDIT_LOG, sign_due_checkpoints
from apps.core import clock
from apps.core.sequencing import drain

# A visit that nobody took in this time is dropped: beat sweeps.
_EXPIRE_SECONDS = 10

# When this process has asked to be sent here again, on its monotonic clock.
_coming_at = 0.0


@shared_task(name="audit.sequence")
def sequence() -> None:
    """Number pending entries until none is left that this worker can take, and sign the checkpoints that are due."""
    drain(AUDIT_LOG)
    wait = sign_due_checkpoints(now=clock.now())
    if wait is not None:
        _come_again(wait)


def _come_again(wait: timedelta) -> None:
    """Come again when the first checkpoint may be signed, once however many runs find it waiting.

    The message may be lost with the broker's memory: then beat's sweep signs a second or two later.
    """
    global _coming_at  # noqa: PLW0603  (one number a process)
    now, seconds = time.monotonic(), wait.total_seconds()
    if now < _coming_at <= now + seconds:
        return
    _coming_at = now + seconds
    sequence.apply_async(queue=settings.LOG_QUEUE, countdown=seconds, expires=seconds + _EXPIRE_SECONDS, retry=False)
