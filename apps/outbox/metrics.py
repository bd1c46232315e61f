"""What the outbox tells Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core import clock
from apps.core.sequencing import backlog
from apps.outbox.services import OUTBOX


def collect() -> Iterator[Metric]:
    """Yield the events that wait for the relay and the age of the oldest; in a staff or system scope."""
    pending = backlog(OUTBOX, now=clock.now())
    yield GaugeMetricFamily(
        "finops_outbox_pending_events", "Events that wait for the relay (10001: more)", pending.rows
    )
    yield GaugeMetricFamily("finops_outbox_lag_seconds", "Age of the oldest event that waits", pending.lag_seconds)
