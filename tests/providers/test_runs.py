"""Sync runs: asked for, started, finished, failed, and never in the way for ever."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from apps.core.errors import NotFound, VersionConflict
from apps.core.ids import new_id
from apps.core.scope import tenant_scope, write_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.outbox.models import OutboxEvent
from apps.providers.errors import SyncRunClosed
from apps.providers.models import QuarantinedRow, SyncRun
from apps.providers.services import fail_run, finish_run, request_sync, start_run
from apps.providers.services.quarantine import KEPT_PER_RUN
from apps.providers.types import RejectedRow, SyncCounts
from tests.factories.providers import (
    AWAY,
    REFUSED,
    actor_of,
    code_of,
    events_of,
    leaves_of,
    make_connection,
    make_running_run,
    read_connection,
    read_run,
)


@pytest.fixture
def connection(acme, now):
    return make_connection(acme, now=now)


@pytest.fixture
def actor(acme):
    return actor_of(acme)


def ask(connection, actor, now, **more):
    return request_sync(connection_id=connection.id, trigger="api", actor=actor, now=now, **more)


def finish(run, actor, now, rejected=(), is_mapped=None, **counts):
    return finish_run(
        run_id=run.id,
        counts=SyncCounts(**counts),
        stages={"fetch": 12},
        rejected=rejected,
        is_mapped=is_mapped,
        actor=actor,
        now=now,
    )


def fail(run, actor, now, failure=AWAY, *, will_retry=False):
    return fail_run(run_id=run.id, failure=failure, will_retry=will_retry, actor=actor, now=now)


def kill_job(run, state="dead"):
    """Do to the run's job what the runner does when it dies, without telling anyone."""
    from django.utils import timezone

    with tenant_scope(run.tenant_id):
        Job.objects.filter(id=run.job_id).update(state=state, finished_at=timezone.now())


class TestRequest:
    def test_while_a_run_waits_or_works_that_one_is_returned(self, connection, actor, now):
        waiting = ask(connection, actor, now)
        assert ask(connection, actor, now).id == waiting.id
        start_run(run_id=waiting.id, attempt=1, actor=actor, now=now)
        assert ask(connection, actor, now).id == waiting.id
        with tenant_scope(connection.tenant_id):
            assert (SyncRun.objects.count(), Job.objects.filter(kind="connection.sync").count()) == (1, 1)

    @pytest.mark.parametrize("state", ["dead", "discarded"])
    def test_a_run_whose_job_is_gone_is_replaced(self, connection, actor, now, state):
        orphan = make_running_run(connection, now=now)
        kill_job(orphan, state)
        fresh = ask(connection, actor, now)
        assert fresh.id != orphan.id
        assert (fresh.status, fresh.trigger) == ("queued", "api")
        stored = read_run(orphan)
        assert (stored.status, code_of(stored), stored.finished_at) == ("failed", "sync_interrupted", now)
        assert read_connection(connection).consecutive_failures == 0

    def test_a_run_that_has_ended_while_its_job_has_not_is_returned(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now)
        assert ask(connection, actor, now).id == run.id

    def test_it_moves_the_schedule(self, connection, actor, now, settings):
        settings.SYNC_INTERVAL_SECONDS = 1000
        later = now + timedelta(hours=5)
        ask(connection, actor, later)
        wait = (read_connection(connection).next_sync_at - later).total_seconds()
        assert 800 <= wait <= 1200

    def test_a_stale_version(self, connection, actor, now):
        with pytest.raises(VersionConflict):
            ask(connection, actor, now, expected_version=7)

    def test_another_tenants_connection(self, connection, globex, now):
        with pytest.raises(NotFound):
            ask(connection, actor_of(globex), now)


class TestStart:
    def test_it_runs(self, connection, actor, now):
        run = start_run(run_id=ask(connection, actor, now).id, attempt=1, actor=actor, now=now)
        assert (run.status, run.attempt, run.started_at) == ("running", 1, now)
        assert run.connection == connection

    def test_after_a_kill_it_runs_again(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        later = now + timedelta(minutes=1)
        again = start_run(run_id=run.id, attempt=2, actor=actor, now=later)
        assert (again.status, again.attempt, again.started_at) == ("running", 2, now)

    def test_a_replayed_dead_letter_runs_again(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now)
        again = start_run(run_id=run.id, attempt=1, actor=actor, now=now)
        assert (again.status, again.trigger, again.finished_at) == ("running", "retry", None)

    def test_a_replaced_run_does_not(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now)
        kill_job(run)
        ask(connection, actor, now)
        with pytest.raises(SyncRunClosed):
            start_run(run_id=run.id, attempt=1, actor=actor, now=now)

    def test_a_succeeded_run_does_not(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        finish(run, actor, now)
        with pytest.raises(SyncRunClosed):
            start_run(run_id=run.id, attempt=2, actor=actor, now=now)

    def test_a_run_of_another_tenant_does_not(self, connection, globex, now):
        run = make_running_run(connection, now=now)
        with pytest.raises(SyncRunClosed):
            start_run(run_id=run.id, attempt=1, actor=actor_of(globex), now=now)

    def test_no_run_at_all(self, actor, now):
        with pytest.raises(SyncRunClosed):
            start_run(run_id=new_id(), attempt=1, actor=actor, now=now)


class TestFinish:
    def test_counts_stages_and_state(self, connection, actor, now, settings):
        settings.SYNC_INTERVAL_SECONDS = 1000
        run = make_running_run(connection, now=now)
        finish(run, actor, now, added=3, modified=2, removed=1, unchanged=4, quarantined=0)
        stored = read_run(run)
        assert (stored.status, stored.error, stored.finished_at, stored.stages) == (
            "succeeded",
            None,
            now,
            {"fetch": 12},
        )
        assert (stored.added, stored.modified, stored.removed, stored.unchanged) == (3, 2, 1, 4)
        after = read_connection(connection)
        assert (after.last_synced_at, after.status, after.version) == (now, "active", 1)
        assert 800 <= (after.next_sync_at - now).total_seconds() <= 1200
        assert leaves_of(connection)[-1] == "connection.synced"

    def test_the_event_says_whether_it_is_the_first(self, connection, actor, now):
        finish(make_running_run(connection, now=now), actor, now, added=5)
        kill_all_jobs(connection)
        finish(make_running_run(connection, now=now), actor, now, unchanged=5)
        with tenant_scope(connection.tenant_id):
            events = OutboxEvent.objects.filter(type="connection.synced").order_by("position")
            assert [(event.data["first"], event.data["added"]) for event in events] == [(True, 5), (False, 0)]

    def test_a_run_that_was_closed_meanwhile_rolls_back(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now)
        with pytest.raises(SyncRunClosed):
            finish(run, actor, now)
        assert read_connection(connection).last_synced_at is None

    def test_it_nests_in_the_callers_transaction(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        with pytest.raises(ZeroDivisionError), write_scope(actor):
            finish(run, actor, now)
            _ = 1 / 0
        assert read_run(run).status == "running"

    def test_success_heals(self, connection, actor, now, settings):
        settings.SYNC_FAILURES_BEFORE_INCIDENT = 1
        run = make_running_run(connection, now=now)
        fail(run, actor, now, REFUSED)
        start_run(run_id=run.id, attempt=1, actor=actor, now=now)
        finish(run, actor, now)
        after = read_connection(connection)
        assert (after.status, after.status_code, after.status_message) == ("active", "", "")
        assert (after.consecutive_failures, after.version) == (0, 3)
        with tenant_scope(connection.tenant_id):
            assert Incident.objects.get().state == "resolved"


class TestFail:
    def test_with_a_retry_to_come_it_waits_and_says_why(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now, will_retry=True)
        stored = read_run(run)
        assert (stored.status, stored.finished_at) == ("queued", None)
        assert stored.error == {"code": "provider_unavailable", "message": "The provider is away."}
        after = read_connection(connection)
        assert (after.status, after.consecutive_failures, after.version) == ("active", 1, 1)
        assert events_of(connection) == ["connection.created"]

    def test_without_one_it_has_failed(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now)
        assert (read_run(run).status, read_run(run).finished_at) == ("failed", now)
        assert leaves_of(connection)[-1] == "connection.sync_failed"

    def test_refused_credentials_need_attention_at_once(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now, REFUSED)
        after = read_connection(connection)
        assert (after.status, after.version) == ("needs_attention", 2)
        assert (after.status_code, after.status_message) == ("credentials_refused", "Connect again.")
        assert 19 <= (after.next_sync_at - now).total_seconds() / 3600 <= 29
        assert events_of(connection) == ["connection.created", "connection.failed"]
        with tenant_scope(connection.tenant_id):
            assert Incident.objects.count() == 0

    def test_the_third_failure_in_a_row_opens_one_incident_and_one_event(self, connection, actor, now, settings):
        settings.SYNC_FAILURES_BEFORE_INCIDENT = 3
        run = make_running_run(connection, now=now)
        seen = []
        for attempt in range(1, 6):
            start_run(run_id=run.id, attempt=attempt, actor=actor, now=now)
            fail(run, actor, now, will_retry=attempt < 5)
            with tenant_scope(connection.tenant_id):
                seen.append((Incident.objects.count(), events_of(connection).count("connection.failed")))
        assert seen == [(0, 0), (0, 0), (1, 1), (1, 1), (1, 1)]
        with tenant_scope(connection.tenant_id):
            incident = Incident.objects.get()
        assert (incident.kind, incident.key, incident.count) == ("connection.failing", str(connection.id), 3)
        assert (incident.title, incident.target_id) == ("Bank keeps failing to synchronise", connection.id)
        assert incident.detail["consecutive_failures"] == 5

    def test_the_death_of_a_job_after_its_last_failure_counts_once(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        fail(run, actor, now)
        fail(run, actor, now)
        assert read_connection(connection).consecutive_failures == 1

    def test_an_overlong_message_is_cut(self, connection, actor, now):
        from apps.providers.types import SyncFailure

        run = make_running_run(connection, now=now)
        failure = SyncFailure(code="c" * 200, message="m" * 900, needs_attention=True)
        fail(run, actor, now, failure)
        after = read_connection(connection)
        assert (len(after.status_code), len(after.status_message)) == (100, 500)


class TestQuarantine:
    def row(self, external_id="txn_1", reason="Expected `str`", **excerpt):
        return RejectedRow(entity="transaction", external_id=external_id, reason=reason, excerpt=excerpt)

    def kept(self, connection):
        with tenant_scope(connection.tenant_id):
            return list(QuarantinedRow.objects.order_by("row_key"))

    def test_a_refused_row_is_kept_with_its_reason(self, connection, actor, now):
        run = make_running_run(connection, now=now)
        finish(run, actor, now, rejected=[self.row(amount="?")], quarantined=1)
        [row] = self.kept(connection)
        assert (row.entity, row.row_key, row.reason) == ("transaction", "txn_1", "Expected `str`")
        assert (row.excerpt, row.occurrences, row.run_id) == ({"amount": "?"}, 1, run.id)
        assert read_run(run).quarantined == 1

    def test_seen_again_it_counts_up(self, connection, actor, now):
        finish(make_running_run(connection, now=now), actor, now, rejected=[self.row()], quarantined=1)
        kill_all_jobs(connection)
        later = now + timedelta(hours=1)
        run = make_running_run(connection, now=later)
        finish(run, actor, later, rejected=[self.row(reason="Another"), self.row("txn_2")], quarantined=2)
        rows = [(row.row_key, row.occurrences, row.reason, row.first_seen_at) for row in self.kept(connection)]
        assert rows == [("txn_1", 2, "Another", now), ("txn_2", 1, "Expected `str`", later)]

    def test_what_maps_by_now_is_resolved_and_what_is_refused_again_is_open(self, connection, actor, now):
        def sync(hours: int, rejected, mapped) -> dict[str, datetime | None]:
            kill_all_jobs(connection)
            at = now + timedelta(hours=hours)
            run = make_running_run(connection, now=at)
            finish(run, actor, at, rejected=rejected, is_mapped=lambda *row: row in mapped)
            return {row.row_key: row.resolved_at for row in self.kept(connection)}

        both = [("transaction", "txn_1"), ("transaction", "txn_2")]
        assert sync(0, [self.row(), self.row("txn_2"), self.row("txn_3")], both) == dict.fromkeys(
            ["txn_1", "txn_2", "txn_3"]
        )
        resolved = now + timedelta(hours=1)
        assert sync(1, [self.row("txn_2")], both) == {"txn_1": resolved, "txn_2": None, "txn_3": None}
        assert sync(2, [], [("account", "txn_2")]) == {"txn_1": resolved, "txn_2": None, "txn_3": None}
        assert sync(3, [self.row()], []) == dict.fromkeys(["txn_1", "txn_2", "txn_3"])

    def test_rows_without_an_id_are_told_apart_by_what_they_say(self, connection, actor, now):
        rows = [self.row("", a="1"), self.row("", a="2"), self.row("", a="1"), self.row("i" * 201, a="1")]
        finish(make_running_run(connection, now=now), actor, now, rejected=rows, quarantined=4)
        assert [row.row_key[:7] for row in self.kept(connection)] == ["sha256:"] * 3

    def test_what_is_kept_is_bounded_and_the_count_is_not(self, connection, actor, now):
        rows = [self.row(f"txn_{number}") for number in range(KEPT_PER_RUN + 20)]
        run = make_running_run(connection, now=now)
        finish(run, actor, now, rejected=rows, quarantined=len(rows))
        assert (len(self.kept(connection)), read_run(run).quarantined) == (500, 520)


def kill_all_jobs(connection):
    from django.utils import timezone

    with tenant_scope(connection.tenant_id):
        Job.objects.filter(kind="connection.sync").update(state="succeeded", finished_at=timezone.now())


def test_the_database_keeps_one_active_run_per_connection(connection, actor, now):
    from django.db import IntegrityError

    ask(connection, actor, now)
    with pytest.raises(IntegrityError, match="providers_syncrun_one_active"), write_scope(actor):
        SyncRun.objects.create(
            tenant_id=connection.tenant_id, connection=connection, trigger="api", job_id=uuid4(), created_at=now
        )
