"""Relays at work in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from apps.core import clock
from apps.core.sequencing import sequence_pending
from apps.outbox.services import OUTBOX
from tests.threads import begin


@contextmanager
def relaying(relays: int) -> Iterator[None]:
    """Relay in so many threads while the block runs, three events at a time."""
    done = Event()

    def relay() -> None:
        while not done.is_set():
            sequence_pending(OUTBOX, now=clock.now(), batch_rows=3)

    running = [begin(relay) for _ in range(relays)]
    try:
        yield
    finally:
        done.set()
    for one in running:
        one.result(60)
