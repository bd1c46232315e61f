"""What Prometheus is told: what waits and for how long, and what became of what was sent."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from apps.core import clock
from apps.core.scope import system_scope
from apps.webhooks import metrics
from tests.factories.webhooks import make_endpoint, relay, send_due
from tests.webhooks.receiver import Answer, Receiver

pytestmark = pytest.mark.worker_login


def gauges() -> dict[str, float]:
    with system_scope():
        return {family.name: family.samples[0].value for family in metrics.collect()}


def count_of(outcome: str) -> float:
    return REGISTRY.get_sample_value("finops_webhook_attempts_total", {"outcome": outcome}) or 0.0


def test_what_is_due_and_its_lag(acme) -> None:
    assert gauges() == {"finops_webhook_due_deliveries": 0, "finops_webhook_lag_seconds": 0.0}
    make_endpoint(acme)
    relay(acme, now=clock.now() - timedelta(seconds=30))
    relay(acme, now=clock.now() + timedelta(hours=1))
    found = gauges()
    assert found["finops_webhook_due_deliveries"] == 1
    assert 30 <= found["finops_webhook_lag_seconds"] < 60


def test_attempts_are_counted_by_outcome(acme) -> None:
    before = {outcome: count_of(outcome) for outcome in ("succeeded", "http_error")}
    with Receiver(lambda received: Answer(200 if received.sequence == 1 else 500)) as receiver:
        make_endpoint(acme, receiver.url)
        for _ in range(2):
            relay(acme)
        send_due()
    assert {outcome: count_of(outcome) - before[outcome] for outcome in before} == {"succeeded": 1, "http_error": 1}
    assert gauges()["finops_webhook_due_deliveries"] == 0
