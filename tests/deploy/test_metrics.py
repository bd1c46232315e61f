"""What the worker's children count is seen from outside: by the worker's own endpoint, and by a web beside it."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.providers.models import SyncRun
from finops.embedded.ports import choose
from tests.deploy.test_settings import ROOT
from tests.factories.providers import make_connection
from tests.jobs.worker_process import WorkerProcess
from tests.waiting import wait_until

SCRAPE = """
from django.test import Client
from finops.wsgi import application
print(Client().get("/metrics").content.decode())
"""
CALLS = "finops_provider_calls_total"


def _calls(text: str) -> float:
    """Return how many calls to the bank went well."""
    wanted = {"provider": "teller", "outcome": "ok"}
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == CALLS and wanted.items() <= sample.labels.items()
    )


@pytest.mark.commits
@pytest.mark.long
def test_calls_that_children_of_the_worker_count_are_scraped(
    acme, sandbox, process_environment: dict[str, str], tmp_path: Path
) -> None:
    port, folder = choose(), tmp_path / "metrics"
    folder.mkdir()
    counting = {**process_environment, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    worker = WorkerProcess(
        {**counting, "FINOPS_METRICS_PORT": str(port)}, tmp_path / "worker.log", app="finops", concurrency=1
    )
    with worker:
        make_connection(acme, now=clock.now())
        _hint("sync")
        wait_until(lambda: _has_synced(acme), what="the sync")
        own = httpx.get(f"http://127.0.0.1:{port}/metrics", verify=False).text
        web = subprocess.run(
            [sys.executable, "-c", SCRAPE],
            cwd=ROOT,
            env=counting,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    assert _calls(own) >= 3  # accounts, balances, transactions
    assert _calls(web) == _calls(own)
    assert "finops_jobs_queued" in web
    assert "django_http_requests_before_middlewares_total" in web


def _has_synced(tenant) -> bool:
    with tenant_scope(tenant.id):
        return SyncRun.objects.filter(status="succeeded").exists()


def _hint(queue: str) -> None:
    from celery import Celery

    with Celery("web", broker=settings.REDIS_URL) as sender:
        sender.send_task("jobs.drain", [queue], queue=queue, retry=False, ignore_result=True)
