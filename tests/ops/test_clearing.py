"""Dead letters are cleared all at once: those that are meant, each as a single one is, and counted exactly."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.audit.models import AuditEntry
from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.core.scope import Reach, staff_scope, write_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.jobs.selectors import DeadLetters
from apps.ops.errors import ClearingOver, NothingToClear
from apps.ops.models import Clearing
from apps.ops.services import clear_batch, clear_some, request_clearing, stop_clearing
from apps.tenants.models import Tenant
from apps.tenants.services import engage_read_only
from tests import databases
from tests.backoffice.world import make_dead_job
from tests.factories.incidents import make_incident
from tests.waiting import wait_until

pytestmark = pytest.mark.commits

DIED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = DIED + timedelta(hours=1)


@pytest.fixture
def grace(staff: Any) -> Actor:
    return Actor(kind="staff", label="grace", user_id=staff.pk, request_id="request-7")


def ask(actor: Actor, *, action: Any = "replay", reason: str = "", now: datetime = NOW, **meant: Any) -> Clearing:
    return request_clearing(action=action, letters=DeadLetters(**meant), reason=reason, actor=actor, now=now)


def work(batch: int = 2) -> list[tuple[int, int, str]]:
    """Clear as the worker does; return after each batch what was done, what was refused, and the state."""
    name = connection.settings_dict["NAME"]
    databases.log_in("worker", name)
    steps: list[tuple[int, int, str]] = []
    while clear_batch(now=NOW + len(steps) * timedelta(seconds=1), batch=batch):
        clearing = Clearing.objects.exclude(worked_at=None).latest("worked_at")
        steps.append((clearing.cleared, clearing.left_alone, clearing.state))
    databases.log_in("web", name)
    return steps


def states() -> dict[UUID, str]:
    with staff_scope():
        return dict(Job.objects.values_list("id", "state"))


def leaves(action: str) -> list[AuditEntry]:
    with staff_scope():
        return list(AuditEntry.objects.filter(action=action).order_by("position"))


def queue_again(job: Job) -> None:
    with write_scope(Actor(kind="system", label="tests", tenant_id=job.tenant_id)):
        Job.objects.filter(pk=job.pk).update(state="queued", finished_at=None)


def test_those_that_were_enqueued_in_a_span_of_time_are_meant(acme: Tenant, grace: Actor) -> None:
    job = make_dead_job(acme, now=DIED)
    began = job.pk.int >> 80
    at = datetime.fromtimestamp(began / 1000, tz=UTC)
    hour = timedelta(hours=1)
    assert ask(grace, enqueued_since=at - hour, enqueued_before=at + hour).total == 1
    assert work() == [(1, 0, "done")]
    with pytest.raises(NothingToClear):
        ask(grace, enqueued_since=at + hour)


def test_all_that_are_meant_are_replayed_in_batches_each_with_its_leaf(
    acme: Tenant, globex: Tenant, grace: Actor
) -> None:
    meant = [make_dead_job(tenant, now=DIED, code="bad_file") for tenant in (acme, globex, acme)]
    other_error, late = make_dead_job(acme, now=DIED), make_dead_job(acme, now=NOW + timedelta(minutes=1))
    clearing = ask(grace, kind="statement.import", code="bad_file")
    assert (clearing.total, clearing.state) == (3, "queued")

    assert work() == [(2, 0, "running"), (3, 0, "done")]
    assert {job.pk: states()[job.pk] for job in meant} == {job.pk: "queued" for job in meant}
    assert (states()[other_error.pk], states()[late.pk]) == ("dead", "dead")
    replayed = leaves("job.replayed")
    assert [(leaf.tenant_id, leaf.target_id) for leaf in replayed] == [(job.tenant_id, str(job.pk)) for job in meant]
    assert {leaf.actor["user_id"] for leaf in replayed} == {str(grace.user_id)}
    assert {leaf.request_id for leaf in replayed} == {"request-7"}
    [asked] = leaves("dead_letters.clearing_requested")
    assert (asked.tenant_id, asked.target_id) == (None, str(clearing.id))
    assert asked.changes == {
        "action": [None, "replay"],
        "total": [None, 3],
        "meant": [None, {"kind": "statement.import", "code": "bad_file"}],
    }


def test_discarding_keeps_the_reason_and_resolves_the_incidents(acme: Tenant, globex: Tenant, grace: Actor) -> None:
    mine, theirs = make_dead_job(acme, now=DIED), make_dead_job(globex, now=DIED)
    make_incident(now=DIED, tenant_id=acme.pk, kind="job.dead", key=str(mine.pk), target_type="job", target_id=mine.pk)
    ask(grace, action="discard", reason="tenant left", tenant_id=acme.pk)
    assert work() == [(1, 0, "done")]
    assert states() == {mine.pk: "discarded", theirs.pk: "dead"}
    [leaf] = leaves("job.discarded")
    assert leaf.changes == {"state": ["dead", "discarded"], "reason": [None, "tenant left"]}
    with staff_scope():
        assert [incident.state for incident in Incident.objects.all()] == ["resolved"]


def test_what_cannot_be_replayed_is_left_counted_and_passed_over(acme: Tenant, globex: Tenant, grace: Actor) -> None:
    twice = [make_dead_job(acme, now=DIED, key="s-1") for _ in range(2)]
    queue_again(twice[0])
    refused = make_dead_job(globex, now=DIED)
    replayed = make_dead_job(acme, now=DIED)
    engage_read_only(tenant_id=globex.pk, reason="Migration", actor=grace, now=DIED)
    ask(grace)
    assert work(batch=1)[-1] == (1, 2, "done")
    assert Clearing.objects.get().refused == {"job_already_queued": 1, "read_only": 1}
    assert [states()[job.pk] for job in (twice[1], refused, replayed)] == ["dead", "dead", "queued"]
    assert len(leaves("job.replayed")) == 1


def test_what_dies_again_meanwhile_is_left_alone(acme: Tenant, grace: Actor) -> None:
    first, second = make_dead_job(acme, now=DIED), make_dead_job(acme, now=DIED)
    ask(grace)
    databases.log_in("worker", connection.settings_dict["NAME"])
    assert clear_batch(now=NOW, batch=1)
    with write_scope(Actor(kind="system", label="tests", tenant_id=acme.pk)):
        Job.objects.filter(pk=first.pk).update(state="dead", finished_at=NOW + timedelta(seconds=1))
    assert clear_some() is False
    databases.log_in("web", connection.settings_dict["NAME"])
    assert states() == {first.pk: "dead", second.pk: "queued"}
    assert (Clearing.objects.get().cleared, Clearing.objects.get().total) == (2, 2)


def test_what_a_person_discards_at_this_moment_is_not_replayed(acme: Tenant, grace: Actor, database: str) -> None:
    mine, other = make_dead_job(acme, now=DIED), make_dead_job(acme, now=DIED)
    ask(grace)
    with databases.as_owner(database) as person, databases.as_owner(database) as onlooker:

        def is_held_up() -> bool:
            query = "SELECT FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0 AND datname = %s"
            return bool(onlooker.execute(query, [database]).rowcount)

        with ThreadPoolExecutor(1) as pool:
            with person.transaction():
                person.execute("UPDATE jobs_job SET state = 'discarded' WHERE id = %s", [mine.pk])
                steps = pool.submit(work)
                wait_until(is_held_up, what="the clearing waits for the person")
            assert steps.result(10) == [(1, 0, "done")]
    assert states() == {mine.pk: "discarded", other.pk: "queued"}


def test_two_clearings_take_turns(acme: Tenant, grace: Actor) -> None:
    for kind in ("a", "b"):
        for _ in range(2):
            make_dead_job(acme, now=DIED, code=kind)
        ask(grace, code=kind)
    assert work(batch=1) == [(1, 0, "running")] * 2 + [(2, 0, "running")] * 2 + [(2, 0, "done")] * 2


def test_a_clearing_that_is_stopped_stays_where_it_is(acme: Tenant, grace: Actor) -> None:
    jobs = [make_dead_job(acme, now=DIED) for _ in range(3)]
    clearing = ask(grace)
    databases.log_in("worker", connection.settings_dict["NAME"])
    clear_batch(now=NOW, batch=1)
    databases.log_in("web", connection.settings_dict["NAME"])
    stop_clearing(clearing_id=clearing.id, actor=grace, now=NOW)
    assert work() == []
    assert sorted(states().values()) == ["dead", "dead", "queued"]
    [leaf] = leaves("dead_letters.clearing_stopped")
    assert leaf.changes == {"state": ["running", "stopped"], "cleared": [None, 1]}
    with pytest.raises(ClearingOver):
        stop_clearing(clearing_id=clearing.id, actor=grace, now=NOW)
    assert len(jobs) == 3


def test_where_nothing_is_meant_nothing_is_begun(acme: Tenant, grace: Actor) -> None:
    make_dead_job(acme, now=DIED)
    with pytest.raises(NothingToClear):
        ask(grace, kind="no.such_kind")
    assert Clearing.objects.count() == 0
    assert leaves("dead_letters.clearing_requested") == []


def test_staff_limited_to_a_tenant_clear_its_dead_letters_alone_and_see_their_own_clearings(
    acme: Tenant, globex: Tenant, grace: Actor, staff: Any
) -> None:
    mine, theirs = make_dead_job(acme, now=DIED), make_dead_job(globex, now=DIED)
    everybodys = ask(grace, tenant_id=globex.pk)
    stop_clearing(clearing_id=everybodys.id, actor=grace, now=NOW)
    Clearing.objects.update(staff_id=UUID(int=1))
    reach = Reach(staff.pk, frozenset({acme.pk}))
    with staff_scope(reach):
        clearing = ask(grace)
        assert (clearing.total, clearing.tenants) == (1, [str(acme.pk)])
        assert list(Clearing.objects.all()) == [clearing]
    with pytest.raises(NotFound), staff_scope(reach):
        stop_clearing(clearing_id=everybodys.id, actor=grace, now=NOW)
    assert work() == [(1, 0, "done")]
    assert states() == {mine.pk: "queued", theirs.pk: "dead"}
