"""What the audit log tells Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from apps.audit.selectors import measure_trees
from apps.audit.services import AUDIT_LOG
from apps.core import clock
from apps.core.sequencing import backlog


def collect() -> Iterator[Metric]:
    """Yield what waits for sequencer and checkpoint, and how large the trees are; in a staff or system scope."""
    pending = backlog(AUDIT_LOG, now=clock.now())
    yield GaugeMetricFamily(
        "finops_audit_pending_entries", "Leaves that wait for the sequencer (10001: more)", pending.rows
    )
    yield GaugeMetricFamily("finops_audit_lag_seconds", "Age of the oldest leaf of those counted", pending.lag_seconds)
    trees = measure_trees(now=clock.now())
    yield GaugeMetricFamily("finops_audit_tree_entries", "Entries in the trees of all logs", trees.entries)
    yield GaugeMetricFamily("finops_audit_largest_tree_entries", "Entries in the largest tree", trees.largest)
    yield GaugeMetricFamily("finops_audit_uncovered_entries", "Entries that no checkpoint covers yet", trees.uncovered)
    yield GaugeMetricFamily(
        "finops_audit_checkpoint_lag_seconds",
        "Time since the last checkpoint of the log that waits longest for its next",
        trees.lag_seconds,
    )
