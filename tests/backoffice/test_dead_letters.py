"""A dead job's page tells whether a replay would end otherwise; its list, what jobs died of."""

from datetime import timedelta
from uuid import uuid4

import pytest

from apps.audit.services import record
from apps.core.actor import Actor, system_actor
from apps.core.scope import staff_scope, write_scope
from apps.jobs.models import Job
from apps.jobs.selectors import causes_of_death
from tests.backoffice.test_actions import choose
from tests.backoffice.test_pages import get
from tests.backoffice.world import World, make_dead_job


@pytest.fixture
def dead(world: World) -> Job:
    return world.acme.dead_job


def page_of(client, job: Job) -> str:
    return get(client, f"/admin/jobs/job/{job.pk}/change/")


def test_nothing_has_changed_since(staff_client, dead):
    text = page_of(staff_client, dead)
    assert "Would a replay succeed?" in text
    assert "Not tried since" in text
    assert "Nothing of what the payload names has changed" in text


def test_its_kind_has_succeeded_since_and_what_it_names_has_changed(staff_client, acme, dead):
    later = dead.finished_at + timedelta(minutes=5)
    actor = Actor(kind="user", label="Ada Lovelace", tenant_id=acme.pk, user_id=uuid4())
    healed = make_dead_job(acme, now=later)
    statement = dead.payload["statement_id"]
    with write_scope(actor):
        Job.objects.filter(pk=healed.pk).update(state="succeeded")
        record(
            action="statement.corrected",
            actor=actor,
            target_type="statement",
            target_id=statement,
            now=later,
            changes={"currency": ["USD", "EUR"]},
        )
    text = page_of(staff_client, dead)
    assert "The kind succeeds again" in text
    assert "statement.corrected" in text
    assert "Ada Lovelace" in text
    assert "currency" in text
    assert "Would a replay succeed?" not in page_of(staff_client, healed)


def test_the_same_work_that_waits_already_is_linked(staff_client, acme, world: World):
    now = world.acme.dead_job.created_at
    dead, queued = make_dead_job(acme, now=now, key="s-1"), make_dead_job(acme, now=now, key="s-1")
    with write_scope(system_actor("tests", tenant_id=acme.pk)):
        Job.objects.filter(pk=queued.pk).update(state="queued", finished_at=None)
    text = page_of(staff_client, dead)
    assert "is queued already" in text
    assert str(queued.pk) in text


def test_jobs_that_died_of_one_cause_are_found_and_replayed_together(staff_client, acme, world: World):
    now = world.acme.dead_job.created_at
    others = [make_dead_job(acme, now=now, code=code) for code in ("bad_file", "no_file")]
    everything = get(staff_client, "/admin/jobs/job/")
    assert "statement.import: bad_file (1)" in everything
    chosen = staff_client.get("/admin/jobs/job/?died=statement.import:bad_file").context["cl"].result_list
    assert [job.pk for job in chosen] == [others[0].pk]
    assert choose(staff_client, "jobs.job", others, "replay") == ["2 jobs queued again."]
    assert "leased before the replay" in page_of(staff_client, others[0])
    assert "bad_file" not in [code for _label, code in _causes()]


def _causes() -> list[tuple[str, str]]:
    with staff_scope():
        return [(cause.kind, cause.code) for cause in causes_of_death()]
