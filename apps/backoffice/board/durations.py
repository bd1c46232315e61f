"""Middle and high values of durations."""

from collections.abc import Sequence
from datetime import timedelta


def quantile(durations: Sequence[timedelta], share: float) -> timedelta | None:
    """Return the duration that `share` of them do not exceed (nearest rank); None of none."""
    if not durations:
        return None
    ordered = sorted(durations)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 100) // 100) - 1))]
