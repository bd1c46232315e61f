"""Count a key's requests by the minute, and say so in Alpaca's headers.

Alpaca allows 200 a minute. The sandbox allows more unless told otherwise: demos and benchmarks share one key.
"""

import time
from dataclasses import dataclass

DEFAULT_LIMIT = 10_000
WINDOW_SECONDS = 60


@dataclass(slots=True)
class Window:
    """Hold what was used of the running minute."""

    ends: int
    used: int = 0


class Meter:
    """Hold the limits, journaled, and what was used, which a restart forgets."""

    def __init__(self) -> None:
        self._limits: dict[str | None, int] = {}
        self._windows: dict[str, Window] = {}

    def limit(self, key: str) -> int:
        """Return a key's requests a minute."""
        return self._limits.get(key, self._limits.get(None, DEFAULT_LIMIT))

    def set_limit(self, key: str | None, limit: int | None) -> None:
        """Set or forget the limit of a key, or of all."""
        if limit is None:
            self._limits.pop(key, None)
        else:
            self._limits[key] = limit

    def admit(self, key: str) -> bool:
        """Count a request and tell whether it is within the limit."""
        window = self._window(key)
        window.used += 1
        return window.used <= self.limit(key)

    def headers(self, key: str, *, throttled: bool) -> dict[str, str]:
        """Return the headers of an answer."""
        window, limit = self._window(key), self.limit(key)
        remaining = 0 if throttled else max(0, limit - window.used)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(window.ends),
        }

    def _window(self, key: str) -> Window:
        now = time.time()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._windows[key] = Window((int(now) // WINDOW_SECONDS + 1) * WINDOW_SECONDS)
        return window
