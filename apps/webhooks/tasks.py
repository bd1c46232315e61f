"""Celery's way in: sending, woken after events were relayed, and the hourly care of secrets."""

from typing import Any

from celery import shared_task, signals

from apps.core import clock
from apps.jobs import shutdown
from apps.webhooks.sending import Station
from apps.webhooks.services import renew_seals

_station = Station(stopping=shutdown.has_begun)


@shared_task(name="webhooks.deliver")
def deliver() -> None:
    """Have this process's sender look at the queue; it is started with the first of these."""
    _station.poke()


@signals.worker_process_shutdown.connect
def _stop_sending(**_signal: Any) -> None:
    _station.stop()


@shared_task(name="webhooks.renew_seals")
def renew() -> None:
    """Put secrets under the installation's current key, and delete those whose grace is over."""
    after = None
    while True:
        _changed, after = renew_seals(now=clock.now(), after=after)
        if after is None:
            return
