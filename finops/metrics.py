"""`/metrics` in Prometheus' text format: what the processes count, and what the tables know."""

import os
from collections.abc import Iterator
from ipaddress import ip_address

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from apps.audit.metrics import collect as collect_audit
from apps.core.api.problems import reads
from apps.core.scope import staff_scope
from apps.jobs.metrics import collect as collect_jobs
from apps.ops.metrics import collect as collect_verification
from apps.outbox.metrics import collect as collect_outbox
from apps.webhooks.metrics import collect as collect_webhooks


class TableCollector(Collector):
    """Derives metrics from the tables, so that they cover every process and survive restarts."""

    def collect(self) -> Iterator[Metric]:
        with staff_scope():
            families = [*collect_jobs(), *collect_outbox(), *collect_audit(), *collect_webhooks()]
            families += collect_verification()
        yield from families
        yield from _collect_pool()


def _collect_pool() -> Iterator[Metric]:
    if not connection.settings_dict["OPTIONS"].get("pool"):
        return
    statistics = connection.pool.get_stats()  # type: ignore[attr-defined]  # the PostgreSQL wrapper has it
    for name in ("pool_size", "pool_available", "requests_waiting", "requests_errors"):
        yield GaugeMetricFamily(f"finops_db_{name}", "psycopg pool statistic", value=statistics.get(name, 0))


def counted() -> CollectorRegistry:
    """Return what all processes that share PROMETHEUS_MULTIPROC_DIR have counted; without it, what this one has.

    The files of ended processes stay, or counters would fall; a start of the installation begins with none. There is
    no gauge of the live kind, hence nothing else that an ended process would have to take with it.
    """
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it registers itself
    return registry


_tables = CollectorRegistry()
_tables.register(TableCollector())


@reads
def export(request: HttpRequest) -> HttpResponse:
    """Answer the metrics to the networks that may read them; 404 to everyone else."""
    address = ip_address(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104  (not a bind address)
    if not any(address in network for network in settings.METRICS_ALLOWED_NETWORKS):
        raise Http404
    body = generate_latest(counted()) + generate_latest(_tables)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)
