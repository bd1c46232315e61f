"""The scheduler finds what is due across tenants; keys are rotated across tenants."""

from datetime import timedelta

import pytest

from apps.core.scope import system_scope, tenant_scope
from apps.jobs.models import Job
from apps.providers.credentials import open_sealed
from apps.providers.models import Connection, Credentials, SyncRun
from apps.providers.services import CREDENTIALS, delete_connection, fail_run, finish_run, schedule_due_syncs
from apps.providers.types import SyncCounts
from tests import databases
from tests.factories.providers import (
    REFUSED,
    actor_of,
    leaves_of,
    make_connection,
    make_running_run,
    read_connection,
)
from tests.threads import begin

pytestmark = pytest.mark.worker_login

HOUR = timedelta(hours=1)


def synced(tenant, token, now):
    """Return a connection whose first sync has succeeded at `now`, job and all."""
    connection = make_connection(tenant, token, now=now)
    run = make_running_run(connection, now=now)
    finish_run(run_id=run.id, counts=SyncCounts(), stages={}, actor=actor_of(tenant), now=now)
    with tenant_scope(tenant.id):
        Job.objects.filter(id=run.job_id).update(state="succeeded", finished_at=now)
    return connection


def runs_of(connection) -> list[tuple[str, str]]:
    with tenant_scope(connection.tenant_id):
        return list(SyncRun.objects.filter(connection=connection).order_by("id").values_list("trigger", "status"))


class TestSchedule:
    def test_what_is_due_in_every_tenant(self, acme, globex, now):
        first, second = synced(acme, "test_tkn_a", now), synced(globex, "test_tkn_b", now)
        assert schedule_due_syncs(now=now + HOUR / 2) == 0
        assert schedule_due_syncs(now=now + 2 * HOUR) == 2
        assert schedule_due_syncs(now=now + 2 * HOUR) == 0
        for connection in (first, second):
            assert runs_of(connection) == [("schedule", "succeeded"), ("schedule", "queued")]
            assert leaves_of(connection)[-1] == "connection.sync_requested"

    def test_intervals_are_spread_by_a_fifth(self, acme, now, settings):
        settings.SYNC_INTERVAL_SECONDS = 1000
        waits = set()
        for number in range(12):
            connection = synced(acme, f"test_tkn_{number}", now)
            waits.add((read_connection(connection).next_sync_at - now).total_seconds())
        assert len(waits) == 12
        assert 800 <= min(waits) < max(waits) <= 1200

    def test_a_read_only_tenant_is_left_out_and_stays_due(self, acme, globex, now, switch_read_only_as_owner):
        left_out, other = synced(acme, "test_tkn_a", now), synced(globex, "test_tkn_b", now)
        due_at = read_connection(left_out).next_sync_at
        switch_read_only_as_owner(acme.id)
        assert schedule_due_syncs(now=now + 2 * HOUR) == 1
        assert (runs_of(left_out), len(runs_of(other))) == ([("schedule", "succeeded")], 2)
        assert read_connection(left_out).next_sync_at == due_at

    def test_a_suspended_tenant_is_left_out_and_stays_due(self, acme, globex, now, database):
        left_out, other = synced(acme, "test_tkn_a", now), synced(globex, "test_tkn_b", now)
        due_at = read_connection(left_out).next_sync_at
        with databases.as_owner(database) as owner:
            owner.execute("UPDATE tenants_tenant SET status = 'suspended' WHERE id = %s", [acme.id])
        assert schedule_due_syncs(now=now + 2 * HOUR) == 1
        assert (len(runs_of(left_out)), len(runs_of(other))) == (1, 2)
        assert read_connection(left_out).next_sync_at == due_at

    def test_one_that_cannot_be_scheduled_is_put_off_and_stops_no_other(self, acme, globex, now, database):
        broken, other = synced(acme, "test_tkn_a", now), synced(globex, "test_tkn_b", now + HOUR / 4)
        due = now + 2 * HOUR
        with databases.as_owner(database) as owner:
            owner.execute(
                f"ALTER TABLE providers_syncrun ADD CONSTRAINT broken CHECK (connection_id <> '{broken.id}') NOT VALID"
            )
            assert schedule_due_syncs(now=due) == 1
            assert (len(runs_of(broken)), len(runs_of(other))) == (1, 2)
            assert read_connection(broken).next_sync_at == due + timedelta(minutes=10)
            owner.execute("ALTER TABLE providers_syncrun DROP CONSTRAINT broken")
        assert schedule_due_syncs(now=due) == 0
        assert schedule_due_syncs(now=due + timedelta(minutes=10)) == 1
        assert len(runs_of(broken)) == 2

    def test_a_read_only_installation_schedules_nothing(self, acme, now, switch_read_only_as_owner):
        synced(acme, "test_tkn_a", now)
        switch_read_only_as_owner(None)
        assert schedule_due_syncs(now=now + 2 * HOUR) == 0

    def test_deleted_connections_are_not_due(self, acme, now):
        connection = synced(acme, "test_tkn_a", now)
        delete_connection(connection_id=connection.id, actor=actor_of(acme), now=now)
        assert schedule_due_syncs(now=now + 100 * HOUR) == 0

    def test_one_that_needs_attention_is_tried_once_a_day(self, acme, now):
        connection = synced(acme, "test_tkn_a", now)
        run = make_running_run(connection, now=now)
        fail_run(run_id=run.id, failure=REFUSED, will_retry=False, actor=actor_of(acme), now=now)
        with tenant_scope(acme.id):
            Job.objects.filter(id=run.job_id).update(state="dead", finished_at=now)
        assert [schedule_due_syncs(now=now + hours * HOUR) for hours in (2, 19, 29)] == [0, 0, 1]

    def test_a_run_whose_job_vanished_does_not_block_the_schedule(self, acme, now):
        connection = synced(acme, "test_tkn_a", now)
        run = make_running_run(connection, now=now)
        with tenant_scope(acme.id):
            Job.objects.filter(id=run.job_id).update(state="discarded", finished_at=now)
        assert schedule_due_syncs(now=now + 2 * HOUR) == 1
        assert runs_of(connection)[1:] == [("api", "failed"), ("schedule", "queued")]

    def test_two_schedulers_share_the_work(self, acme, now):
        first, _second = synced(acme, "test_tkn_a", now), synced(acme, "test_tkn_b", now)
        with system_scope():
            Connection.objects.select_for_update().get(id=first.id)
            assert begin(lambda: schedule_due_syncs(now=now + 2 * HOUR)).result(10) == 1
        assert schedule_due_syncs(now=now + 2 * HOUR) == 1


class TestRotation:
    NEW = "t2:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

    def stored(self, connection) -> Credentials:
        with tenant_scope(connection.tenant_id):
            return Credentials.objects.get(connection_id=connection.id)

    def test_under_the_current_key_there_is_nothing_to_do(self, acme, now):
        make_connection(acme, now=now)
        assert list(CREDENTIALS.renew(now=lambda: now)) == []

    def test_every_tenants_credentials_move_to_the_current_key(self, acme, globex, now, settings):
        made = [make_connection(acme, "test_tkn_a", now=now), make_connection(globex, "test_tkn_b", now=now)]
        settings.FIELD_KEYS = f"{self.NEW},{settings.FIELD_KEYS}"
        assert list(CREDENTIALS.renew(now=lambda: now)) == [(2, 2)]
        assert [self.stored(connection).key_id for connection in made] == ["t2", "t2"]
        settings.FIELD_KEYS = self.NEW
        assert [open_sealed(self.stored(connection))["access_token"] for connection in made] == [
            "test_tkn_a",
            "test_tkn_b",
        ]
        assert leaves_of(made[0])[-1] == "connection.credentials_rotated"

    def test_in_batches_past_what_cannot_be_opened(self, acme, now, settings):
        made = [make_connection(acme, f"test_tkn_{name}", now=now) for name in "abc"]
        with tenant_scope(acme.id):
            Credentials.objects.filter(connection=made[0]).update(ciphertext=b"t1|garbage-that-no-key-opens")
        settings.FIELD_KEYS = f"{self.NEW},{settings.FIELD_KEYS}"
        assert list(CREDENTIALS.renew(now=lambda: now, limit=1)) == [(1, 0), (1, 1), (1, 1)]
        assert [self.stored(connection).key_id for connection in made] == ["t1", "t2", "t2"]
