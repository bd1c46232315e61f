"""Two at once: one run per connection, one connection per enrolment."""

import pytest

from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.providers.models import SyncRun
from apps.providers.services import request_sync
from tests.factories.providers import actor_of, make_connection, make_running_run
from tests.threads import at_once

pytestmark = pytest.mark.commits


def test_requests_for_one_connection_share_a_run(acme, now):
    made = make_connection(acme, now=now)
    old = make_running_run(made, now=now)
    with tenant_scope(acme.id):
        Job.objects.filter(id=old.job_id).update(state="dead", finished_at=now)

    def ask(_client: int) -> object:
        return request_sync(connection_id=made.id, trigger="api", actor=actor_of(acme), now=now).id

    assert len(set(at_once(ask, range(4)))) == 1
    with tenant_scope(acme.id):
        assert list(SyncRun.objects.order_by("id").values_list("status", flat=True)) == ["failed", "queued"]
