"""Celery's way in: sending, woken after events were relayed, and the hourly care of secrets."""

import asyncio

from celery import shared_task

from apps.core import clock
from apps.jobs import shutdown
from apps.webhooks.sending import Sender
from apps.webhooks.services import renew_seals

# A while longer on the same connections: one event is often followed by another.
LINGER_SECONDS = 1.0


@shared_task(name="webhooks.deliver")
def deliver() -> None:
    """Send what is due until nothing is. A process does one task at a time, so it has one sender."""
    asyncio.run(Sender().run(stopping=shutdown.has_begun, linger_seconds=LINGER_SECONDS))


@shared_task(name="webhooks.renew_seals")
def renew() -> None:
    """Put secrets under the installation's current key, and delete those whose grace is over."""
    after = None
    while True:
        _changed, after = renew_seals(now=clock.now(), after=after)
        if after is None:
            return
