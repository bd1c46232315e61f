"""What the audit log tells Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from apps.audit.services import AUDIT_LOG
from apps.core import clock
from apps.core.sequencing import backlog


def collect() -> Iterator[Metric]:
    """Yield the leaves that wait for the sequencer and the age of the oldest; in a staff or system scope."""
    pending = backlog(AUDIT_LOG, now=clock.now())
    yield GaugeMetricFamily(
        "finops_audit_pending_entries", "Leaves that wait for the sequencer (10001: more)", pending.rows
    )
    yield GaugeMetricFamily("finops_audit_lag_seconds", "Age of the oldest leaf of those counted", pending.lag_seconds)
