"""Expiry of idempotency records, started by beat."""

from celery import shared_task

from apps.core import clock
from apps.idempotency.services import expire_records


@shared_task(name="idempotency.expire")
def expire() -> None:
    """Forget the records, and the secret bodies, whose time is over."""
    expire_records(now=clock.now())
