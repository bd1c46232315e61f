"""What Prometheus reads of verifications: findings by check, and when the installation was last proved."""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.core.scope import staff_scope
from apps.ops import metrics
from apps.ops.models import VerificationRun

NIGHT = datetime(2026, 3, 2, 3, 10, tzinfo=UTC)


def make_run(state: str, at: datetime, **verdicts: tuple[str, int]) -> None:
    checks = [{"name": name, "verdict": verdict, "found": found} for name, (verdict, found) in verdicts.items()]
    over = None if state == "running" else at
    with staff_scope():
        VerificationRun.objects.create(
            trigger="nightly", state=state, requested_at=at, finished_at=over, checks=checks, found=0
        )


def read() -> dict[str, Any]:
    with staff_scope():
        families = list(metrics.collect())
    return {
        family.name.removeprefix("finops_verification_"): [
            (sample.labels.get("check"), sample.value) for sample in family.samples
        ]
        for family in families
    }


def test_before_the_first_run_nothing_is_told() -> None:
    assert read() == {"findings": [], "broken": [], "timestamp_seconds": [], "proved_timestamp_seconds": []}


def test_the_last_run_that_is_over_counts_and_the_last_proof_is_remembered() -> None:
    make_run("proved", NIGHT, tree=("passed", 0), policies=("nothing", 0))
    proved_at = NIGHT.timestamp()
    assert read() == {
        "findings": [("tree", 0), ("policies", 0)],
        "broken": [("tree", 0), ("policies", 0)],
        "timestamp_seconds": [(None, proved_at)],
        "proved_timestamp_seconds": [(None, proved_at)],
    }
    next_night = NIGHT + timedelta(days=1)
    make_run("broken", next_night, tree=("findings", 3), policies=("broken", 0))
    make_run("running", next_night + timedelta(hours=1), tree=("", 0))
    assert read() == {
        "findings": [("tree", 3), ("policies", 0)],
        "broken": [("tree", 0), ("policies", 1)],
        "timestamp_seconds": [(None, next_night.timestamp())],
        "proved_timestamp_seconds": [(None, proved_at)],
    }
