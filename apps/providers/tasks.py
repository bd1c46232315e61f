"""What beat runs for this room, and the job of an inbound webhook."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from apps.core import clock
from apps.jobs.registry import handles
from apps.jobs.types import Lease
from apps.providers import services
from apps.providers.types import PROCESS_HOOK

_ROUNDS = 50


@shared_task(name="providers.schedule_due_syncs", ignore_result=True)
def schedule_due_syncs() -> None:
    """Request the syncs that are due, in batches; what is left is the next tick's."""
    for _ in range(_ROUNDS):
        if not services.schedule_due_syncs(now=clock.now()):
            return


@shared_task(name="providers.forget_hooks", ignore_result=True)
def forget_hooks() -> None:
    """Delete webhooks that came longer ago than FINOPS_INBOX_KEPT_DAYS; what is left is the next run's."""
    before = clock.now() - timedelta(days=settings.INBOX_KEPT_DAYS)
    for _ in range(_ROUNDS):
        if not services.forget_hooks(before=before):
            return


@handles(PROCESS_HOOK)
def process_hook(lease: Lease) -> None:
    """Do what a provider's webhook asks for."""
    services.process_hook(lease, now=clock.now())
