"""The order rate as a generic cell rate algorithm: one time per account holds the whole state.

https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm (virtual scheduling): `per_minute` orders at once, then one
for each of the minute's `per_minute` parts that has gone by.
"""

from apps.orders.rules.units import MINUTE


def next_reset(*, now: int, reset_at: int | None, per_minute: int) -> int | None:
    """Return the theoretical arrival time once one more order is let through; None when it is one too many."""
    if per_minute <= 0:
        return None
    interval = -(-MINUTE // per_minute)  # rounded up: never one more than the limit says
    after = max(now, reset_at or now) + interval
    return after if after - now <= interval * per_minute else None
