"""What beat runs for this room, and the job of an inbound webhook."""

from uuid import UUID

from celery import shared_task

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


@handles(PROCESS_HOOK)
def process_hook(lease: Lease) -> None:
    """Do what a provider's webhook asks for."""
    hook_id = UUID(str(lease.payload["hook_id"]))
    services.process_hook(hook_id=hook_id, attempt=lease.attempt, actor=lease.actor, now=clock.now())
