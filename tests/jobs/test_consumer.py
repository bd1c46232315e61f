"""A worker whose broker is away asks for it again soon, and as often as it takes."""

from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from finops.celery import app
from finops.consumer import Consumer

pytestmark = pytest.mark.no_database


class Broker(Connection):
    """A connection that is made at once, and remembers how it would have been asked for again."""

    def ensure_connection(self, _on_error: Any = None, max_retries: Any = 0, **how: Any) -> "Broker":  # type: ignore[override]
        self.max_retries = max_retries
        self.pauses = [how[f"interval_{name}"] for name in ("start", "step", "max")]
        return self


class Worker(Consumer):
    """A consumer without the worker around it."""

    def __init__(self, app: Celery) -> None:
        self.app = app


def test_the_worker_asks_for_its_broker_every_two_seconds_for_as_long_as_it_takes() -> None:
    assert app.conf.worker_consumer == "finops.consumer:Consumer"
    broker = Broker()
    assert Worker(app).ensure_connected(broker) is broker
    assert (broker.pauses, broker.max_retries) == ([2, 0, 2], None)
