"""Keeping a costly answer for a moment."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Recent(Generic[Answer]):
    """The last answer of a question, asked again when it is `seconds` old.

    Everybody who looks shares it, and of the threads of a process one asks at a time: the cost does not grow with
    the number of open pages. What is shared is read and never changed.
    """

    def __init__(self, ask: Callable[[], Answer], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: tuple[float, Answer] | None = None

    def get(self) -> Answer:
        """Return the answer, at most `seconds` old."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] >= self._seconds:
                self._kept = (time.monotonic(), self._ask())
            return self._kept[1]

    def forget(self) -> None:
        """Ask again the next time."""
        with self._lock:
            self._kept = None
