"""What a kept webhook brings about: at most that the provider is asked, once."""

import json
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import DatabaseError
from django.db.models import F

from apps.accounts import tasks as _accounts  # noqa: F401  (its jobs)
from apps.audit.models import AuditEntry
from apps.core.errors import DomainError
from apps.core.scope import tenant_scope, write_scope
from apps.jobs.errors import LeaseLost, RetryLater
from apps.jobs.models import Job
from apps.jobs.services.leasing import lease_of
from apps.jobs.types import Lease
from apps.providers.adapters.signatures import sign
from apps.providers.models import Connection, InboundHook, SyncRun
from apps.providers.services import delete_connection, process_hook, receive_hook, replay_hook, start_run
from apps.providers.types import PROCESS_HOOK, ReceivedHook
from tests.factories.providers import actor_of, make_connection
from tests.threads import at_once

SECRET = "signing-secret-of-ours"


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.TELLER_WEBHOOK_SECRETS = [SECRET]


def connect(tenant, now: datetime, *, idle=True) -> Connection:
    """Return a connection whose first sync is over, or waits."""
    made = make_connection(tenant, enrollment_id="enr_acme", now=now)
    if idle:
        with write_scope(actor_of(tenant)):
            SyncRun.objects.update(status="succeeded", finished_at=now)
            Job.objects.update(state="succeeded", finished_at=now)
    return made


def deliver(connection: Connection, now: datetime, kind="transactions.processed", event_id="wh_1") -> None:
    payload = {} if kind == "webhook.test" else {"enrollment_id": "enr_acme"}
    body = json.dumps({"id": event_id, "type": kind, "timestamp": "2026-03-02T12:00:00Z", "payload": payload}).encode()
    at = int(now.timestamp())
    received = ReceivedHook(headers={"Teller-Signature": f"t={at},v1={sign(body, secret=SECRET, at=at)}"}, body=body)
    receive_hook(provider="teller", connection_id=connection.id, received=received, request_id="r", now=now)


def process(tenant, now: datetime, attempt=1) -> None:
    with tenant_scope(tenant.id):
        waiting = Job.objects.filter(kind=PROCESS_HOOK.name, state="queued").count()
    for _ in range(waiting):
        process_hook(lease_hook(tenant, now, attempt), now=now)


def lease_hook(tenant, now: datetime, attempt=1, state="queued") -> Lease:
    """Lease the first job of a webhook, as the runner does."""
    with write_scope(actor_of(tenant)):
        job = Job.objects.filter(kind=PROCESS_HOOK.name, state=state).earliest("id")
        job.state, job.attempts, job.leased_until = "leased", attempt, now + timedelta(minutes=1)
        job.save(update_fields=["state", "attempts", "leased_until"])
    return lease_of(job)


def outcomes(tenant) -> list[tuple[str, str]]:
    with tenant_scope(tenant.id):
        return list(InboundHook.objects.order_by("id").values_list("state", "outcome"))


def runs(tenant) -> list[tuple[str, str]]:
    with tenant_scope(tenant.id):
        return list(SyncRun.objects.order_by("id").values_list("trigger", "status"))


@pytest.mark.parametrize("kind", ["transactions.processed", "enrollment.disconnected"])
def test_what_changed_at_the_bank_is_asked_for(acme, now, kind):
    deliver(connect(acme, now), now, kind)
    later = now + timedelta(seconds=1)
    process(acme, later)
    assert outcomes(acme) == [("processed", "sync_requested")]
    assert runs(acme)[1:] == [("webhook", "queued")]


@pytest.mark.parametrize("kind", ["webhook.test", "account.number_verification.processed", "not.known.yet"])
def test_other_types_do_nothing(acme, now, kind):
    deliver(connect(acme, now), now, kind)
    process(acme, now)
    assert outcomes(acme) == [("processed", "nothing_to_do")]
    assert len(runs(acme)) == 1


def test_a_job_that_is_replayed_when_all_is_done_asks_for_nothing_more(acme, now):
    deliver(connect(acme, now), now)
    process(acme, now + timedelta(seconds=1))
    with write_scope(actor_of(acme)):
        SyncRun.objects.update(status="succeeded", finished_at=now)
    process_hook(lease_hook(acme, now, state="succeeded"), now=now + timedelta(seconds=60))
    with tenant_scope(acme.id):
        assert InboundHook.objects.get().processed_at == now + timedelta(seconds=1)
    assert [trigger for trigger, _status in runs(acme)][1:] == ["webhook"]


def test_a_worker_that_has_lost_its_lease_processes_nothing(acme, now):
    deliver(connect(acme, now), now)
    lease = lease_hook(acme, now)
    lease.fence += 1
    with pytest.raises(LeaseLost):
        process_hook(lease, now=now)
    assert (outcomes(acme), len(runs(acme))) == ([("received", "")], 1)


def test_several_in_any_order_ask_once(acme, now):
    connection = connect(acme, now)
    for event_id in ("wh_3", "wh_1", "wh_2", "wh_1"):
        deliver(connection, now, event_id=event_id)
    process(acme, now + timedelta(seconds=1))
    process(acme, now + timedelta(seconds=2))
    assert len(outcomes(acme)) == 3
    assert [trigger for trigger, _status in runs(acme)] == ["schedule", "webhook"]


def test_a_sync_that_waits_will_see_it(acme, now):
    deliver(connect(acme, now, idle=False), now)
    process(acme, now + timedelta(seconds=1))
    assert outcomes(acme) == [("processed", "sync_waiting")]


def test_a_sync_under_way_may_have_read_past_it_so_another_one_follows(acme, now):
    connection = connect(acme, now, idle=False)
    with tenant_scope(acme.id):
        run_id = SyncRun.objects.get().id
    start_run(run_id=run_id, attempt=1, actor=actor_of(acme), now=now)
    deliver(connection, now)
    with pytest.raises(RetryLater) as raised:
        process(acme, now, attempt=3)
    assert (raised.value.seconds, outcomes(acme)) == (20, [("received", "")])


def test_of_a_connection_that_has_gone_nothing_is_asked(acme, now):
    connection = connect(acme, now)
    deliver(connection, now)
    delete_connection(connection_id=connection.id, actor=actor_of(acme), now=now)
    process(acme, now)
    assert outcomes(acme) == [("processed", "connection_disabled")]


def test_staff_process_one_again(acme, now):
    deliver(connect(acme, now), now, "webhook.test")
    process(acme, now)
    with tenant_scope(acme.id):
        hook_id = InboundHook.objects.get().id
    replayed = replay_hook(hook_id=hook_id, actor=actor_of(acme), now=now)
    assert (replayed.state, replayed.replays) == ("received", 1)
    with tenant_scope(acme.id):
        of_hooks = Job.objects.filter(kind="connection.hook").order_by("id")
        assert list(of_hooks.values_list("state", flat=True)) == ["succeeded", "queued"], "at once, it has its own"
        leaf = AuditEntry.objects.get(action="connection.hook_replayed")
    assert leaf.changes["state"] == ["processed", "received"]
    process(acme, now)
    assert outcomes(acme) == [("processed", "nothing_to_do")]


@pytest.mark.parametrize("column", ["body", "headers", "event_id", "received_at"])
def test_what_a_provider_has_sent_is_never_changed(acme, now, column):
    deliver(connect(acme, now), now)
    with pytest.raises(DatabaseError, match="permission denied"), write_scope(actor_of(acme)):
        InboundHook.objects.update(**{column: F(column)})


def test_a_replay_needs_a_connection_and_a_hook(acme, now):
    connection = connect(acme, now)
    deliver(connection, now, "webhook.test")
    process(acme, now)
    with tenant_scope(acme.id):
        hook_id = InboundHook.objects.get().id
    delete_connection(connection_id=connection.id, actor=actor_of(acme), now=now)
    for named, code in ((hook_id, "connection_disabled"), (UUID(int=1), "not_found")):
        with pytest.raises(DomainError) as refused:
            replay_hook(hook_id=named, actor=actor_of(acme), now=now)
        assert refused.value.code == code
    assert outcomes(acme) == [("processed", "nothing_to_do")]


@pytest.mark.commits
def test_fifty_duplicates_at_once_are_one_row_one_leaf_one_job(acme, now):
    connection = connect(acme, now)

    def send(_sender: int) -> None:
        for _ in range(5):
            deliver(connection, now)

    at_once(send, range(10))
    with tenant_scope(acme.id):
        assert InboundHook.objects.count() == 1
        assert Job.objects.filter(kind="connection.hook").count() == 1
        assert AuditEntry.objects.filter(action="connection.hook_received").count() == 1
