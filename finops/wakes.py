"""Carries wakes to the broker from a thread of its own, so that no request ever waits for the broker."""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable

from prometheus_client import Counter

logger = logging.getLogger(__name__)

WAKES_LOST = Counter("finops_wakes_lost_total", "Wakes that the broker did not take", ["topic"])

PAUSE_SECONDS = 0.02
_EXIT_SECONDS = 0.5


class Waker:
    """Sends each requested topic soon, and once however often it was asked for in the meantime.

    The first wake leaves at once; then the thread pauses for 20 ms and sends what has gathered. A topic that
    was requested is therefore always sent after that request, unless the broker refuses it: then it is
    counted and forgotten, since beat sweeps the same tables.
    """

    _topics: set[str]
    _sending: bool
    _thread: threading.Thread | None
    _changed: threading.Condition

    def __init__(self, send: Callable[[str], object]) -> None:
        self._send = send
        self._reset()
        # A forked child has the parent's requests but not its thread.
        os.register_at_fork(after_in_child=self._reset)
        atexit.register(self.flush, _EXIT_SECONDS)

    def request(self, topic: str) -> None:
        """Ask for a wake; returns at once and never raises."""
        with self._changed:
            self._topics.add(topic)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything requested has been sent, at most this long, and tell whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._topics and not self._sending, seconds)

    def _reset(self) -> None:
        self._topics = set()
        self._sending = False
        self._thread = None
        self._changed = threading.Condition()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._topics)
                topics, self._topics, self._sending = self._topics, set(), True
            for topic in sorted(topics):
                self._try(topic)
            with self._changed:
                self._sending = False
                self._changed.notify_all()
            time.sleep(PAUSE_SECONDS)

    def _try(self, topic: str) -> None:
        try:
            self._send(topic)
        except Exception as error:  # noqa: BLE001  (whatever the broker client raises, the rows are safe)
            WAKES_LOST.labels(topic).inc()
            logger.warning("wake.lost", extra={"topic": topic, "error": type(error).__name__})
