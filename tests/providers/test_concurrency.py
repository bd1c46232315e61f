"""Two at once: one run per connection, one connection per enrolment."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection as database_connection

from apps.core.errors import DomainError
from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.providers.models import SyncRun
from apps.providers.services import request_sync
from tests.factories.providers import actor_of, make_connection, make_running_run

pytestmark = pytest.mark.commits


def at_once(act: Callable[[], object], threads: int = 4) -> list[object]:
    """Run `act` in several threads that start together; return what each returned, or its error's code."""
    barrier, results = threading.Barrier(threads), []

    def run() -> None:
        barrier.wait(timeout=10)
        try:
            results.append(act())
        except DomainError as error:
            results.append(error.code)
        finally:
            database_connection.close()

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=20)
    assert len(results) == threads
    return results


def test_requests_for_one_connection_share_a_run(acme, now):
    made = make_connection(acme, now=now)
    old = make_running_run(made, now=now)
    with tenant_scope(acme.id):
        Job.objects.filter(id=old.job_id).update(state="dead", finished_at=now)

    def ask() -> object:
        return request_sync(connection_id=made.id, trigger="api", actor=actor_of(acme), now=now).id

    assert len(set(at_once(ask))) == 1
    with tenant_scope(acme.id):
        assert list(SyncRun.objects.order_by("id").values_list("status", flat=True)) == ["failed", "queued"]
