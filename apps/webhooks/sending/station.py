"""The process's sender, in a thread of its own, so that whoever wakes it goes on at once.

A task that sent by itself would be busy for as long as anything hangs, and hints would pile up behind it in the
broker. A poke costs nothing, however many there are.
"""

import asyncio
import logging
import threading
from collections.abc import Callable

from apps.webhooks.sending.sender import TIMEOUT_SECONDS, Sender

logger = logging.getLogger(__name__)

# What is on the wire has its time-out, and is settled after that.
STOP_SECONDS = TIMEOUT_SECONDS + 2


class Station:
    """Keeps one sender at work while `stopping` is not true; it starts with the first poke."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._asked_to_stop = stopping
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._sender: Sender | None = None
        self._thread: threading.Thread | None = None

    def poke(self) -> None:
        """Have the queue looked at now; returns at once. A sender that has failed is replaced."""
        with self._lock:
            if self._is_stopping():
                return
            if self._sender is not None and self._thread is not None and self._thread.is_alive():
                self._sender.poke()
                return
            self._sender = Sender()
            self._thread = threading.Thread(target=self._run, args=[self._sender], name="webhooks-sender", daemon=True)
            self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more, and wait at most this long for what is on the wire."""
        with self._lock:
            self._stopped.set()
            sender, thread = self._sender, self._thread
        if sender is not None and thread is not None:
            sender.poke()
            thread.join(seconds)

    def _is_stopping(self) -> bool:
        return self._stopped.is_set() or self._asked_to_stop()

    def _run(self, sender: Sender) -> None:
        try:
            asyncio.run(sender.run(stopping=self._is_stopping))
        except Exception:  # the next poke starts another one; what this one had claimed is free when its leases end
            logger.exception("webhooks.sender_failed")
