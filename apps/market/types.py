"""What the market room carries around."""

from apps.jobs.types import JobKind

# The payload is {"connection_id", "venue"}: any active connection of the venue will do.
IMPORT_LISTINGS = JobKind(
    "market.import_listings",
    queue="market",
    max_attempts=4,
    backoff_seconds=15,
    backoff_max_seconds=300,
    soft_seconds=1800,
    hard_seconds=2400,
)
