"""Metrics of the queues, derived from the table: they cover every worker process and survive restarts."""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core import clock
from apps.jobs import selectors

# A window instead of totals: counting every job that ever ran would cost more with each day.
WINDOW = timedelta(minutes=5)


def collect() -> Iterator[Metric]:
    """Yield the metric families of this room; call it in a staff scope."""
    now = clock.now()
    yield from _queues(selectors.queue_states(now=now))
    yield GaugeMetricFamily(
        "finops_jobs_dead", "Dead jobs that wait for staff (10001: more)", value=selectors.dead_count()
    )
    yield from _outcomes(selectors.outcomes_since(now - WINDOW))


def _queues(states: list[selectors.QueueState]) -> Iterator[Metric]:
    depth = GaugeMetricFamily("finops_jobs_queued", "Unfinished jobs", labels=["queue", "state"])
    age = GaugeMetricFamily("finops_jobs_oldest_due_seconds", "How long a due job has waited at most", labels=["queue"])
    for state in states:
        for name in ("due", "scheduled", "leased"):
            depth.add_metric([state.queue, name], getattr(state, name))
        age.add_metric([state.queue], state.oldest_due.total_seconds())
    yield from (depth, age)


def _outcomes(outcomes: list[selectors.Outcome]) -> Iterator[Metric]:
    labels = ["kind", "outcome"]
    count = GaugeMetricFamily("finops_jobs_finished", "Jobs that ended in the last five minutes", labels=labels)
    duration = GaugeMetricFamily(
        "finops_jobs_duration_seconds",
        "Duration of the last attempt of jobs that ended in the last five minutes",
        labels=[*labels, "quantile"],
    )
    for outcome in outcomes:
        key = [outcome.kind, outcome.state]
        count.add_metric(key, outcome.count)
        duration.add_metric([*key, "0.5"], outcome.median_seconds)
        duration.add_metric([*key, "0.95"], outcome.p95_seconds)
    yield from (count, duration)
