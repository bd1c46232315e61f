"""How long an endpoint may fail: three notices over four days, and after five it is disabled.

What counts is how long its attempts have failed without one that arrived, not how long nobody has looked: an endpoint
that gets one event a month is not given up for it.
"""

from datetime import datetime, timedelta
from enum import Enum, auto

NOTICES_AFTER = (timedelta(hours=6), timedelta(days=2), timedelta(days=4))
DISABLED_AFTER = timedelta(days=5)
# However late the platform itself is: notices keep their distance, and the last one leaves time to act on it.
BETWEEN_NOTICES = timedelta(hours=12)
LAST_CHANCE = timedelta(days=1)


class Step(Enum):
    """What is to be done about an endpoint that fails."""

    NOTICE = auto()
    DISABLE = auto()


def next_step(
    *, failing_since: datetime, last_failed_at: datetime, notices: int, noticed_at: datetime | None, now: datetime
) -> Step | None:
    """Return what is due; None: nothing yet. `notices` were given of this failure, the last of them at `noticed_at`."""
    failing_for = last_failed_at - failing_since
    if notices < len(NOTICES_AFTER):
        is_due = failing_for >= NOTICES_AFTER[notices]
        return Step.NOTICE if is_due and (noticed_at is None or now - noticed_at >= BETWEEN_NOTICES) else None
    has_had_its_chance = noticed_at is not None and noticed_at + LAST_CHANCE <= min(last_failed_at, now)
    return Step.DISABLE if failing_for >= DISABLED_AFTER and has_had_its_chance else None


def earliest_end(*, failing_since: datetime, notices: int, noticed_at: datetime) -> datetime:
    """Return when an endpoint that goes on failing is disabled, at the earliest."""
    missing = len(NOTICES_AFTER) - notices
    last_notice = noticed_at + missing * BETWEEN_NOTICES
    return max(failing_since + DISABLED_AFTER, last_notice + LAST_CHANCE)
