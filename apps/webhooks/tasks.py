"""Celery's way in: sending, woken after events were relayed, and the hourly end of outlived secrets."""

from typing import Any

from celery import shared_task, signals

from apps.core import clock
from apps.jobs import shutdown
from apps.webhooks.sending import Station
from apps.webhooks.services import forget_secrets

_station = Station(stopping=shutdown.has_begun)


@shared_task(name="webhooks.deliver")
def deliver() -> None:
    """Have this process's sender look at the queue; it is started with the first of these."""
    _station.poke()


@signals.worker_process_shutdown.connect
def _stop_sending(**_signal: Any) -> None:
    _station.stop()


@shared_task(name="webhooks.forget_secrets")
def forget() -> None:
    """Delete the secrets whose grace is over."""
    after = None
    while True:
        _forgotten, after = forget_secrets(now=clock.now(), after=after)
        if after is None:
            return
