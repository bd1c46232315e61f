"""Kinds of jobs that carry orders. Each one's payload is {"order_id": "..."}."""

from apps.jobs.types import JobKind

# A lease is short: whoever takes over from a dead worker asks the venue before it sends, so nothing is sent twice.
SUBMIT_ORDER = JobKind(
    "order.submit", queue="orders", max_attempts=20, lease_seconds=10, backoff_seconds=1, backoff_max_seconds=30
)
# Asks the venue for an order whose outcome is not known, ever more slowly, until somebody knows.
RESOLVE_ORDER = JobKind(
    "order.resolve", queue="orders", max_attempts=1000, lease_seconds=10, backoff_seconds=1, backoff_max_seconds=300
)
CANCEL_ORDER = JobKind(
    "order.cancel", queue="orders", max_attempts=20, lease_seconds=10, backoff_seconds=1, backoff_max_seconds=30
)
REPLACE_ORDER = JobKind(
    "order.replace", queue="orders", max_attempts=20, lease_seconds=10, backoff_seconds=1, backoff_max_seconds=30
)

# Before everything else on the queue: a client and a market are waiting.
ORDER_PRIORITY = 10
