"""Wakes the workers after a commit. The broker is a hint; the tables are the truth.

`finops.celery` installs the hook, which must not block and never raise. A wake is never needed: beat sweeps the
same tables, so a lost one costs a second, not a job.
"""

from collections.abc import Callable

Hook = Callable[[str], None]
_hook: Hook | None = None


def install(hook: Hook | None) -> None:
    """Set the function that takes a topic to the broker; None takes it nowhere (tests, commands)."""
    global _hook  # noqa: PLW0603  (one hook a process, set at start)
    _hook = hook


def send(topics: set[str]) -> None:
    """Hand each topic to the hook."""
    if _hook is not None:
        for topic in sorted(topics):
            _hook(topic)
