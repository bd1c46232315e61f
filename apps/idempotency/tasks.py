"""Expiry of idempotency records, started by beat."""

from celery import shared_task

from apps.core import clock
from apps.idempotency.services import expire_records

# A bound on one run; what is left is the next one's.
ROUNDS = 100


@shared_task(name="idempotency.expire")
def expire() -> None:
    """Forget the records, and the secret bodies, whose time is over."""
    for _ in range(ROUNDS):
        if not expire_records(now=clock.now()):
            return
