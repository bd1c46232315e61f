"""What the transport counts."""

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("finops_provider_calls_total", "Calls to providers", ["provider", "operation", "outcome"])
SECONDS = Histogram(
    "finops_provider_call_seconds",
    "Duration of one attempt of a call",
    ["provider", "operation"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
BREAKER_OPEN = Gauge(
    "finops_provider_breaker_open",
    "1 if the provider's breaker was open at the latest call of any process",
    ["provider"],
    multiprocess_mode="mostrecent",
)
LIMITER_WAIT_SECONDS = Counter(
    "finops_provider_limiter_wait_seconds_total", "Time spent waiting for a slot", ["provider"]
)
