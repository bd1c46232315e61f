"""When a failed delivery is tried again: the schedule that Standard Webhooks recommends."""

from datetime import datetime, timedelta
from random import Random

# The pause after the first failure, the second, and so on; after the one behind the last, the delivery has failed.
PAUSES_SECONDS = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
JITTER = 0.2
LONGEST_RETRY_AFTER_SECONDS = 10 * 3600.0


def next_attempt(*, attempt_count: int, at: datetime, retry_after: float | None, random: Random) -> datetime | None:
    """Return when to try again after `attempt_count` failures, the last of them at `at`; None: no more.

    What failed together does not come back together: each pause is spread by 20 % to either side. A receiver's
    Retry-After, in seconds, makes a pause longer, up to ten hours, and never shorter.
    """
    if attempt_count > len(PAUSES_SECONDS):
        return None
    pause = PAUSES_SECONDS[attempt_count - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    asked = min(retry_after or 0.0, LONGEST_RETRY_AFTER_SECONDS)
    return at + timedelta(seconds=max(pause, asked))
