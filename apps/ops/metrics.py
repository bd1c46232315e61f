"""What the last verification tells Prometheus: alert on the time of the last proof, which nothing but a proof moves."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.verification import Verdict
from apps.ops.models import VerificationRun
from apps.ops.selectors import last_proof, last_verification


def collect() -> Iterator[Metric]:
    """Yield the metric families of this room; call it in a staff scope. Before the first run they have no samples."""
    run = last_verification()
    found = GaugeMetricFamily(
        "finops_verification_findings", "What each check of the last verification found", labels=["check"]
    )
    broken = GaugeMetricFamily(
        "finops_verification_broken", "1 where the last verification could not run the check, else 0", labels=["check"]
    )
    for check in run.checks if run else []:
        found.add_metric([check["name"]], check["found"])
        broken.add_metric([check["name"]], check["verdict"] == Verdict.BROKEN)
    yield from (found, broken)
    yield _ended("finops_verification_timestamp_seconds", "When the last verification ended (Unix time)", run)
    proof = "When a verification last looked at everything and found nothing (Unix time)"
    yield _ended("finops_verification_proved_timestamp_seconds", proof, last_proof())


def _ended(name: str, text: str, run: VerificationRun | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text)
    if run is not None and run.finished_at is not None:
        family.add_metric([], run.finished_at.timestamp())
    return family
