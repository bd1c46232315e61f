"""The page of a job that is due and that nobody takes tells what it waits for."""

from datetime import timedelta
from typing import Any

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope, write_scope
from apps.jobs.models import Job, Queue
from apps.jobs.services import ensure_queues, set_bounds
from apps.jobs.types import JobKind
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.jobs import make_job

KIND = JobKind("report.render", "reports")


def test_a_job_that_nobody_takes_says_why(staff_client: Any, world: World):
    tenant, now = world.acme.tenant.pk, clock.now()
    job = make_job(now=now - timedelta(minutes=20), kind=KIND, tenant_id=tenant)

    def told() -> str:
        return get(staff_client, f"/admin/jobs/job/{job.pk}/change/")

    assert "Due for 20 min, and nobody has taken it" in told()
    assert "No job of the queue “reports” runs or has begun since." in told()
    later = make_job(now=now, kind=JobKind("report.send", "reports"), tenant_id=tenant)
    with write_scope(system_actor("tests", tenant_id=tenant)):
        Job.objects.filter(pk=later.pk).update(state="leased", attempts=1, leased_until=now + timedelta(minutes=1))
    assert "and none of the kind “report.render”" in told()
    ensure_queues(["reports"])
    with staff_scope():
        queue = Queue.objects.get(name="reports").pk
    for most, text in ((1, "at its bound: 1 run at once"), (0, "The queue “reports” is held.")):
        set_bounds(queue_id=queue, max_running=most, max_running_per_tenant=None, now=now)
        assert text in told()
    set_bounds(queue_id=queue, max_running=None, max_running_per_tenant=1, now=now)
    assert "Of this tenant 1 run at once" in told()
