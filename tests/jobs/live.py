"""What tests of real workers see and send: the sweep as beat sends it, and what jobs left behind."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from apps.core.scope import tenant_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from tests.factories.jobs import TENANT


@contextmanager
def beat(valkey_url: str, every: float = 0.3) -> Iterator[None]:
    """Send the sweep as beat does."""
    sender, ended = Celery("beat", broker=valkey_url), threading.Event()

    def tick() -> None:
        while not ended.wait(every):
            with suppress(OperationalError, redis.ConnectionError):
                sender.send_task("jobs.sweep", queue="default", retry=False, ignore_result=True)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        sender.close()


def states() -> dict[str, int]:
    with tenant_scope(TENANT):
        return dict(Counter(Job.objects.values_list("state", flat=True)))


def incidents(kind: str) -> dict[str, int]:
    with tenant_scope(TENANT):
        return dict(Incident.objects.filter(kind=kind).values_list("key", "count"))
