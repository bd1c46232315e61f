"""GET /connections/{id}/runs and /sync-runs/{id}."""

import pytest

from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.providers.services import fail_run, finish_run
from apps.providers.types import SyncCounts
from tests.factories.providers import AWAY, actor_of, make_connection, make_running_run


@pytest.fixture
def two_runs(acme, now):
    """A connection with a failed run and, after it, one that succeeded."""
    connection = make_connection(acme, now=now)
    failed = make_running_run(connection, now=now)
    fail_run(run_id=failed.id, failure=AWAY, will_retry=False, actor=actor_of(acme), now=now)
    with tenant_scope(acme.id):
        Job.objects.filter(id=failed.job_id).update(state="dead", finished_at=now)
    good = make_running_run(connection, now=now)
    counts = SyncCounts(added=4, modified=3, removed=2, unchanged=1, quarantined=1)
    finish_run(run_id=good.id, counts=counts, stages={}, actor=actor_of(acme), now=now)
    return connection, failed, good


def test_runs_are_listed_newest_first(two_runs, acme_viewer):
    connection, failed, good = two_runs
    body = acme_viewer.get(f"/api/v1/connections/{connection.id}/runs").json()
    assert body["next_cursor"] is None
    assert [(run["id"], run["status"], run["error"]) for run in body["data"]] == [
        (str(good.id), "succeeded", None),
        (str(failed.id), "failed", {"code": "provider_unavailable", "message": "The provider is away."}),
    ]


def test_a_run_is_read_by_id(two_runs, acme_viewer):
    connection, _failed, good = two_runs
    run = acme_viewer.get(f"/api/v1/sync-runs/{good.id}").json()
    assert {name: run[name] for name in ("added", "modified", "removed", "unchanged", "quarantined", "attempt")} == {
        "added": 4,
        "modified": 3,
        "removed": 2,
        "unchanged": 1,
        "quarantined": 1,
        "attempt": 1,
    }
    assert (run["connection_id"], run["finished_at"]) == (str(connection.id), "2026-03-02T12:00:00Z")


def test_another_tenants_are_not_found(two_runs, globex_admin, anonymous):
    connection, _failed, good = two_runs
    for url in (f"/api/v1/connections/{connection.id}/runs", f"/api/v1/sync-runs/{good.id}"):
        assert globex_admin.get(url).status_code == 404
        assert anonymous.get(url).status_code == 401
    assert globex_admin.get(f"/api/v1/sync-runs/{new_id()}").status_code == 404
