"""A job of acme that names what is globex's: its handler finds nothing, and says nothing of it.

Every kind that is registered, by its real handler and through the real runner. The connection logs in as the owner, who
may take every role, so that what a job has changed shows before it is rolled back.
"""

from collections.abc import Iterator

import pytest
from django.core import mail
from django.db import connection
from django.utils.module_loading import autodiscover_modules

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import write_scope
from apps.jobs import registry, runner
from apps.jobs.enums import JobState
from tests import databases
from tests.factories.jobs import make_job
from tests.matrix.calls import rolled_back
from tests.matrix.owner import Owner
from tests.matrix.test_isolation import secrets
from tests.matrix.world import World

__all__ = ["secrets"]
pytestmark = pytest.mark.commits

# Belongs to a user or to the installation; a job that names one names nobody's rows.
OF_NO_TENANT = {"reset_id": "0198c5a0-0000-7000-8000-0000000000ff", "venue": "alpaca", "version": 1}


def kinds() -> list[str]:
    """Return every kind that a worker runs."""
    autodiscover_modules("tasks")
    return sorted(kind for queue in registry.queues() for kind in registry.kinds_on(queue) if queue != "test")


@pytest.fixture(autouse=True)
def as_owner(database: str) -> Iterator[None]:
    databases.log_in("owner", database)
    yield
    databases.log_in("web", database)


def payload_of(kind: str, world: World, owner: Owner) -> dict[str, object]:
    """Return what every kind may ask for, as globex has it."""
    globex = world.globex.tenant.id
    (risk_account,) = owner.column("SELECT id FROM orders_riskaccount WHERE tenant_id = %s LIMIT 1", globex)
    (hook,) = owner.column("SELECT id FROM providers_inboundhook WHERE tenant_id = %s LIMIT 1", globex)
    ids = {name: str(value) for name, value in world.globex.ids.items()}
    return {**OF_NO_TENANT, **ids, "risk_account_id": str(risk_account), "hook_id": str(hook)}


@pytest.mark.parametrize("kind", kinds())
def test_a_job_with_globexs_ids(kind: str, world: World, owner: Owner, secrets: set[str]) -> None:
    registered, payload = registry.registration(kind).kind, payload_of(kind, world, owner)
    digests = owner.rows_query(world.globex.tenant.id)
    with rolled_back(), connection.cursor() as cursor:
        # Tenants take turns: nobody else's job is due.
        cursor.execute("UPDATE jobs_job SET run_at = now() + interval '1 day' WHERE state = 'queued'")
        cursor.execute(digests)
        before = cursor.fetchall()
        with write_scope(system_actor("tests", tenant_id=world.acme.tenant.id)):
            job = make_job(
                now=clock.now(), kind=registered, tenant_id=world.acme.tenant.id, payload=payload, priority=30_000
            )
        assert runner.run_next(registered.queue, worker="matrix")
        cursor.execute(digests)
        assert cursor.fetchall() == before
        cursor.execute("SELECT state, attempts, to_jsonb(j)::text FROM jobs_job j WHERE id = %s", [job.id])
        state, attempts, shown = cursor.fetchone()
    assert (state != JobState.LEASED, attempts) == (True, 1), "the job has been run and has its verdict"
    assert "KeyError" not in shown, "a kind with ids of its own: add them to payload_of"
    for text in payload.values():
        shown = shown.replace(str(text), "")
    assert {secret for secret in secrets if secret in shown} == set()
    assert mail.outbox == []
