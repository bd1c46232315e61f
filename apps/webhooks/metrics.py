"""What the webhooks room tells Prometheus: attempts as they are made, and what waits, from the table."""

from collections.abc import Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core import clock
from apps.core.db.counting import count_and_oldest
from apps.webhooks.models import Delivery
from apps.webhooks.selectors import are_due
from apps.webhooks.types import Attempt

ATTEMPTS = Counter("finops_webhook_attempts_total", "Webhook requests sent, by what became of them", ["outcome"])
SECONDS = Histogram(
    "finops_webhook_attempt_seconds",
    "Duration of webhook requests",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
)


def count(attempt: Attempt) -> None:
    """Count an attempt that has just ended."""
    ATTEMPTS.labels(attempt.error or "succeeded").inc()
    SECONDS.observe(attempt.duration_ms / 1000)


def collect() -> Iterator[Metric]:
    """Yield the deliveries that are due and the lag of the oldest; in a staff or system scope."""
    now = clock.now()
    rows, oldest = count_and_oldest(Delivery.objects.filter(are_due(now)), "next_attempt_at")
    lag = (now - oldest).total_seconds() if oldest else 0.0
    yield GaugeMetricFamily("finops_webhook_due_deliveries", "Deliveries that are due (10001: more)", rows)
    yield GaugeMetricFamily("finops_webhook_lag_seconds", "How long the oldest of those counted has been due", lag)
