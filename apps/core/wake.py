"""Wakes the workers after a commit. The broker is a hint; the tables are the truth.

`finops.celery` installs the hook. A wake is sent once per topic and unit of work, never raises and is never
needed: beat sweeps the same tables, so a lost wake costs a second, not a job.
"""

import logging
from collections.abc import Callable

from prometheus_client import Counter

logger = logging.getLogger(__name__)

WAKES_LOST = Counter("finops_wakes_lost_total", "Wakes that the broker did not take", ["topic"])

Hook = Callable[[str], None]
_hook: Hook | None = None


def install(hook: Hook | None) -> None:
    """Set the function that sends a topic to the broker; None sends nothing (tests, commands)."""
    global _hook  # noqa: PLW0603  (one hook a process, set at start)
    _hook = hook


def send(topics: set[str]) -> None:
    """Send each topic; a failure is counted and logged."""
    if _hook is None:
        return
    for topic in sorted(topics):
        try:
            _hook(topic)
        except Exception as error:  # noqa: BLE001  (whatever the broker client raises, the commit stands)
            WAKES_LOST.labels(topic).inc()
            logger.warning("wake.lost", extra={"topic": topic, "error": type(error).__name__})
