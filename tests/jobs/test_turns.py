"""Whose job is next: tenants take turns, levels of priority do, and bounds hold, however many workers lease."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.core.scope import system_scope
from apps.jobs import runner
from apps.jobs.models import Job, Queue
from apps.jobs.services import leasing
from apps.jobs.turns import Turns
from apps.jobs.types import JobKind, Lease
from tests import databases
from tests.factories.jobs import NOTE, make_handler, make_job
from tests.plans.reading import tell_plans, told_plans
from tests.threads import at_once, begin

pytestmark = pytest.mark.worker_login

A, B, C = (UUID(f"0198c5a0-0000-7000-8000-00000000000{letter}") for letter in "abc")
NAMES = {A: "A", B: "B", C: "C"}


def lease(turns: Turns, now: datetime, kinds: Sequence[str] = (NOTE.name,)) -> Lease | None:
    with system_scope():
        return leasing.lease_next(queue="test", kinds=kinds, worker="w1", now=now, turns=turns)


def leases(now: datetime, count: int, turns: Turns | None = None) -> list[Lease]:
    turns = turns or Turns()
    return [found for _ in range(count) if (found := lease(turns, now)) is not None]


def order(found: Sequence[Lease]) -> str:
    return "".join(NAMES[one.tenant_id] for one in found)


def fill(now: datetime, **jobs: int) -> None:
    """Enqueue so many jobs of each tenant, one tenant's after the other's."""
    for name, count in jobs.items():
        for _ in range(count):
            make_job(now=now, tenant_id={"a": A, "b": B, "c": C}[name])


def set_bounds(max_running: int | None = None, per_tenant: int | None = None) -> None:
    Queue.objects.create(name="test", max_running=max_running, max_running_per_tenant=per_tenant)


def test_a_backlog_costs_others_one_lease_a_round(now: datetime) -> None:
    fill(now, a=6)
    turns = Turns()
    assert order(leases(now, 2, turns)) == "AA"
    fill(now, b=1, c=2)
    assert order(leases(now, 9, turns)) == "BCACAAA"


def test_a_round_goes_on_from_whoever_was_served_last_even_if_they_are_gone(now: datetime) -> None:
    fill(now, a=2, b=1, c=2)
    turns = Turns()
    assert order(leases(now, 2, turns)) == "AB"
    fill(now, b=1)
    assert order(leases(now, 9, turns)) == "CABC"


def test_within_a_tenant_the_longest_due_comes_first(now: datetime) -> None:
    late, early = (make_job(now=now, run_at=now - timedelta(minutes=minutes)) for minutes in (1, 2))
    assert [one.job_id for one in leases(now, 2)] == [early.id, late.id]


def test_what_cannot_be_had_is_passed_over(now: datetime) -> None:
    make_job(now=now, tenant_id=A, run_at=now + timedelta(seconds=1), priority=5)
    make_job(now=now, tenant_id=A, kind=JobKind("test.unknown", queue="test"))
    make_job(now=now, tenant_id=B)
    make_job(now=now, tenant_id=C)
    with system_scope():
        Job.objects.select_for_update().get(tenant_id=B)
        [found] = begin(lambda: leases(now, 2)).result(10)
    assert found.tenant_id == C
    assert order(leases(now, 2)) == "B"


def test_a_higher_priority_overtakes_at_every_other_lease(now: datetime) -> None:
    for tenant, priority, count in ((A, 10, 8), (B, 0, 2), (C, 5, 1)):
        for _ in range(count):
            make_job(now=now, tenant_id=tenant, priority=priority)
    assert order(leases(now, 20)) == "ACABABAAAAA"


def test_tenants_take_turns_among_urgent_jobs_too(now: datetime) -> None:
    for tenant in (A, A, A, B, C):
        make_job(now=now, tenant_id=tenant, priority=10)
    make_job(now=now, tenant_id=A)
    found = leases(now, 9)
    assert order(found) == "AABCAA"
    assert [one.job_id == found[1].job_id for one in found] == [False, True, False, False, False, False]


def test_each_process_remembers_its_own_turns(now: datetime) -> None:
    seen = make_handler()
    fill(now, a=3, b=3)
    while runner.run_next("test", worker="w1", now=now):
        pass
    assert order(seen) in {"ABABAB", "BABABA"}


def test_a_queue_runs_no_more_at_once_than_its_bounds_allow(now: datetime) -> None:
    set_bounds(max_running=3, per_tenant=2)
    fill(now, a=5, b=5)
    turns = Turns()
    first = leases(now, 9, turns)
    assert order(first) == "ABA"
    with system_scope():
        leasing.settle(first[0], now=now)
    assert order(leases(now, 9, turns)) == "B"
    with system_scope():
        leasing.settle(first[1], now=now)
    assert order(leases(now, 9, turns)) == "A"


def test_a_tenant_at_its_bound_leaves_the_queue_to_others(now: datetime) -> None:
    set_bounds(per_tenant=1)
    fill(now, a=9, b=2)
    assert order(leases(now, 9)) == "AB"


def test_a_queue_with_the_bound_of_nothing_is_held(now: datetime) -> None:
    set_bounds(max_running=0)
    fill(now, a=1)
    assert leases(now, 1) == []
    make_handler()
    with system_scope() as scope:
        scope.wakes.clear()
        assert runner.drain("test", worker="w1", stopping=lambda: False) == 0
        assert scope.wakes == set()


def test_on_a_queue_with_bounds_the_place_is_handed_over(now: datetime) -> None:
    set_bounds(max_running=1)
    seen = make_handler()
    fill(now, a=3)
    with system_scope() as scope:
        make_handler(act=lambda _lease: scope.wakes.clear())
        assert runner.drain("test", worker="w1", stopping=lambda: False, seconds=0) == 1
        assert scope.wakes == {"jobs:test"}
    assert seen == []


def _lease_at_once(now: datetime, workers: int) -> Counter[str]:
    return Counter("".join(at_once(lambda _worker: order(leases(now, 4)), range(workers))))


def test_bounds_hold_exactly_under_several_workers(now: datetime) -> None:
    set_bounds(max_running=5, per_tenant=3)
    fill(now, a=12, b=12)
    found = _lease_at_once(now, workers=4)
    assert found.total() == 5
    assert max(found.values()) == 3


# One tenant's backlog, forty-nine others' smaller ones, those of fifty more who wait for later, and what is done.
_MANY = """
INSERT INTO jobs_job (id, tenant_id, kind, queue, priority, payload, unique_key, state, run_at, attempts, max_attempts,
                      lease_seconds, soft_seconds, hard_seconds, fence, leased_by, last_error_code, last_error_message,
                      last_traceback, actor, request_id, traceparent, created_at, finished_at)
SELECT gen_random_uuid(), lpad(to_hex(tenant), 32, '0')::uuid, 'test.note', 'test', 10 * (n %% 2), '{}', '', state,
       %(now)s + make_interval(secs => CASE WHEN tenant > 50 THEN n ELSE -n END), 0, 3, 60, 600, 900, 0, '', '', '',
       '', '{}', '', '', %(now)s, CASE WHEN state <> 'queued' THEN %(now)s END
  FROM (SELECT tenant, n, CASE WHEN n %% 3 = 0 THEN 'succeeded' ELSE 'queued' END AS state
          FROM generate_series(1, 100) AS tenant,
               LATERAL generate_series(1, CASE WHEN tenant = 1 THEN 150000 ELSE 1500 END) AS n) AS many
"""


@pytest.mark.prove
@pytest.mark.parametrize("is_analysed", [False, True])
def test_a_hundred_thousand_jobs_of_one_tenant_hold_up_nobody(now: datetime, database: str, is_analysed: bool) -> None:
    """No backlog is ever read: a lease looks at a few blocks, whatever waits, and whatever the planner knows of it."""
    with databases.as_owner(database) as owner:
        owner.execute(_MANY, {"now": now})
        if is_analysed:
            owner.execute("ANALYZE jobs_job")
        tell_plans(owner, database)
    connection.close()
    with told_plans() as plans:
        found = leases(now, 200)
    served = Counter(one.tenant_id.int for one in found)
    assert {tenant: served[tenant] for tenant in range(1, 51)} == dict.fromkeys(range(1, 51), 4)
    read = [plan for plan in plans if "WITH RECURSIVE level" in plan.sql]
    assert len(read) == 200
    assert not any(node["Node Type"] == "Seq Scan" for plan in read for node in plan.nodes() if _is_of_jobs(node))
    # Fifty tenants who wait for later are passed by at the end of each round: five blocks for each of them.
    assert max(plan.blocks for plan in read) < 700
    assert median(plan.blocks for plan in read) < 100


def _is_of_jobs(node: Mapping[str, Any]) -> bool:
    return node.get("Relation Name") == "jobs_job"
