"""A worker is lost before or after a statement of a clearing: what is meant is cleared once, whoever comes after it."""

import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import Error, connection

from apps.audit.models import AuditEntry
from apps.core.actor import Actor
from apps.core.scope import staff_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.jobs.selectors import DeadLetters
from apps.ops.models import Clearing
from apps.ops.services import clear_batch, request_clearing
from apps.tenants.models import Tenant
from tests import databases
from tests.backoffice.world import make_dead_job
from tests.crash.wire import Boundary, Wire
from tests.factories.incidents import make_incident
from tests.forks import Forks

pytestmark = pytest.mark.commits

DIED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = DIED + timedelta(hours=1)
LETTERS, BATCH = 3, 2
LEAVES = {"replay": "job.replayed", "discard": "job.discarded"}
STATES = {"replay": "queued", "discard": "discarded"}


def clear(database: str, port: str) -> None:
    """Clear whatever somebody has asked for, as a worker that reaches the database by a port."""
    databases.log_in("worker", database)
    connection.settings_dict["PORT"] = port
    while clear_batch(now=NOW, batch=BATCH):
        pass


class Desk:
    """Asks for clearings of dead letters of its own, each time, and lets workers be lost at them."""

    def __init__(self, tenant: Tenant, actor: Actor, forks: Forks | None, owner: databases.Owner) -> None:
        self._tenant, self._actor, self._forks = tenant, actor, forks
        self._database, self._host, self._port = owner.info.dbname, owner.info.host, owner.info.port

    def statements(self, action: str) -> list[str]:
        """Return what a clearing executes that nobody disturbs."""
        self._ask(action)
        with Wire(self._host, self._port) as wire:
            self._clear(wire.port)
        return wire.statements

    def suffer(self, action: str, boundary: Boundary) -> int:
        """Lose a worker at a boundary and have another one come after it; return how many the first had cleared."""
        clearing, jobs = self._ask(action)
        if self._forks:
            self._have_one_killed(self._forks, boundary)
        else:
            self._cut_one_off(boundary)
        had_cleared = self._assert_counted_is_done(action, clearing, jobs)
        self._clear(self._port)
        assert self._assert_counted_is_done(action, clearing, jobs) == LETTERS
        assert Clearing.objects.get(id=clearing.id).state == "done"
        return had_cleared

    def _ask(self, action: Any) -> tuple[Clearing, list[Job]]:
        jobs = [make_dead_job(self._tenant, now=DIED) for _ in range(LETTERS)]
        for job in jobs:
            target: dict[str, Any] = {"kind": "job.dead", "key": str(job.pk), "target_type": "job", "target_id": job.pk}
            make_incident(now=DIED, tenant_id=self._tenant.pk, **target)
        return request_clearing(action=action, letters=DeadLetters(), reason="r", actor=self._actor, now=NOW), jobs

    def _clear(self, port: int) -> None:
        try:
            clear(self._database, str(port))
        finally:
            databases.log_in("web", self._database)

    def _cut_one_off(self, boundary: Boundary) -> None:
        with Wire(self._host, self._port, at=boundary) as wire, pytest.raises(Error):
            self._clear(wire.port)
        assert wire.reached.is_set()

    def _have_one_killed(self, forks: Forks, boundary: Boundary) -> None:
        pids: list[int] = []
        with Wire(self._host, self._port, at=boundary, kill=lambda: forks.kill(pids[0])) as wire:
            pids.append(forks.start(clear, self._database, wire.port))
            assert wire.reached.wait(10), "it died where it was to die"

    def _assert_counted_is_done(self, action: str, clearing: Clearing, jobs: Sequence[Job]) -> int:
        """Assert that what is counted has happened, once and with all that belongs to it, and the rest not at all."""
        now = Clearing.objects.get(id=clearing.id)
        assert now.refused == {}
        ids = [job.pk for job in jobs]
        with staff_scope():
            states = dict(Job.objects.filter(pk__in=ids).values_list("pk", "state"))
            incidents = dict(Incident.objects.filter(target_id__in=ids).values_list("target_id", "state"))
            leaves = AuditEntry.objects.filter(target_id__in=map(str, ids), action=LEAVES[action])
            told = Counter(leaves.values_list("target_id", flat=True))
        done, rest = now.cleared, LETTERS - now.cleared
        assert [states[id_] for id_ in ids] == [STATES[action]] * done + ["dead"] * rest
        assert [incidents[id_] for id_ in ids] == ["resolved"] * done + ["open"] * rest
        assert told == dict.fromkeys(map(str, ids[:done]), 1)
        return done


@pytest.fixture
def desk(acme: Tenant, staff: Any, database: str, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk whose workers lose their connection, or with the parameter "killed" their lives."""
    forks = request.getfixturevalue("forks") if getattr(request, "param", "") == "killed" else None
    with databases.as_owner(database) as owner:
        yield Desk(acme, Actor(kind="staff", label="grace", user_id=staff.pk), forks, owner)


def test_a_worker_that_is_cut_off_at_the_end_of_a_batch_or_within(desk: Desk) -> None:
    statements = desk.statements("replay")
    end_of_batch = statements.index("COMMIT")
    seed = random.randrange(10**6)
    sys.stdout.write(f"seed {seed}: {len(statements)} statements\n")
    within = random.Random(seed).randrange(end_of_batch)
    assert desk.suffer("replay", Boundary(within, "after")) == 0
    assert desk.suffer("replay", Boundary(end_of_batch, "before")) == 0
    assert desk.suffer("replay", Boundary(end_of_batch, "after")) == BATCH


@pytest.mark.prove
@pytest.mark.parametrize("action", LEAVES)
@pytest.mark.parametrize("desk", ["cut off", "killed"], indirect=True)
def test_a_worker_that_is_lost_at_every_boundary(desk: Desk, action: str) -> None:
    numbers = range(len(desk.statements(action)))
    had_cleared = [desk.suffer(action, Boundary(number, side)) for number in numbers for side in ("before", "after")]
    assert had_cleared == sorted(had_cleared)
    assert set(had_cleared) == {0, BATCH, LETTERS}
