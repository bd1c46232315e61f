"""Keeping a costly answer for a moment."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")
_KEPT = 32


class Recent(Generic[Answer]):
    """The last answers of a question, each asked again when it is `seconds` old.

    Everybody who sees the same shares one, and of the threads of a process one asks at a time: the cost does not grow
    with the number of open pages. What is shared is read and never changed.
    """

    def __init__(self, ask: Callable[[], Answer], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, Answer]] = {}

    def get(self, seer: Hashable = None) -> Answer:
        """Return the answer for whoever sees what `seer` names, at most `seconds` old."""
        with self._lock:
            at, answer = self._kept.pop(seer, (None, None))
            if at is None or answer is None or time.monotonic() - at >= self._seconds:
                at, answer = time.monotonic(), self._ask()
            self._kept[seer] = (at, answer)
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
            return answer

    def forget(self) -> None:
        """Ask again the next time."""
        with self._lock:
            self._kept.clear()
