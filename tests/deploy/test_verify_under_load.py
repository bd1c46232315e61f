"""While events, deliveries, leaves, jobs and keys are being written and numbered, verification finds nothing."""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from apps.accounts.events import ACCOUNT_CREATED, ACCOUNTS_SYNCED
from apps.accounts.models import Account, Transaction
from apps.accounts.rows import account_bytes
from apps.accounts.services import annotate_transaction
from apps.audit.services import record_batch, sequence_entries
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.idempotency.services import keep_answer, take_key
from apps.idempotency.types import Answer
from apps.jobs import registry
from apps.outbox.services import relay_events
from apps.tenants.models import Tenant
from tests.factories.accounts import make_account, make_transaction
from tests.factories.audit import make_entry
from tests.factories.jobs import NOTE, make_handler, make_job, run_job
from tests.factories.outbox import make_event
from tests.factories.webhooks import make_endpoint
from tests.tampering import verdicts

pytestmark = pytest.mark.worker_login

CHECKS = (
    "accounts.balances",
    "accounts.rows",
    "audit.batches",
    "audit.leaves",
    "audit.sequence",
    "audit.tree",
    "idempotency.answers",
    "jobs.states",
    "outbox.sequence",
    "webhooks.events",
    "webhooks.queues",
)
ROUNDS = 4


def open_account(tenant: Tenant) -> Account:
    """Store an account with the entry that commits to it, as a sync does."""
    actor = system_actor("tests", tenant_id=tenant.id)
    with write_scope(actor):
        account = make_account(tenant)
        record_batch(
            action=ACCOUNTS_SYNCED,
            actor=actor,
            target_type="sync_run",
            target_id=new_id(),
            now=clock.now(),
            rows=[(str(account.id), account_bytes(ACCOUNT_CREATED, account))],
            summary={},
        )
    return account


def write_about(account: Account, earlier: list[Transaction]) -> None:
    """Store a transaction, and change it and earlier ones; each write commits to its row."""
    actor = system_actor("tests", tenant_id=account.tenant_id)
    with write_scope(actor):
        earlier.append(make_transaction(account, status="pending"))
        annotate_transaction(transaction_id=earlier[-1].id, note="new", actor=actor, now=clock.now())
    for row in earlier[:: max(1, len(earlier) // 5)]:
        annotate_transaction(transaction_id=row.id, note=new_id().hex, actor=actor, now=clock.now())


def write(tenant: Tenant) -> None:
    """Do a little of everything that the spine does."""
    now = clock.now()
    make_event(tenant.id, now=now)
    make_entry(tenant.id, now=now)
    make_job(now=now, kind=NOTE, tenant_id=tenant.id)
    key = new_id().hex
    with write_scope(system_actor("tests", tenant_id=tenant.id)):
        take_key(key=key, fingerprint=b"f" * 32, now=now)
        keep_answer(key=key, answer=Answer(status=201, body=b"{}"), secret=True, now=now)


def number() -> None:
    """Do what the workers do with it."""
    relay_events(now=clock.now())
    sequence_entries(now=clock.now())
    run_job(clock.now())


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    with registry.temporarily():
        make_handler()
        yield


def test_nothing_is_found_that_is_not_wrong(acme: Tenant) -> None:
    make_endpoint(acme)
    stopping, failures = threading.Event(), list[BaseException]()

    def keep_on(step: Callable[[], None]) -> None:
        try:
            while not stopping.is_set():
                step()
        except BaseException as error:  # noqa: BLE001  (told to the test, which fails of it)
            failures.append(error)
        finally:
            connection.close()

    account, rows = open_account(acme), list[Transaction]()
    steps: list[Callable[[], None]] = [lambda: write(acme), number, lambda: write_about(account, rows)]
    threads = [threading.Thread(target=keep_on, args=[step]) for step in steps]
    for thread in threads:
        thread.start()
    try:
        results = [result for _ in range(ROUNDS) for result in verdicts(*CHECKS)]
    finally:
        stopping.set()
        for thread in threads:
            thread.join(30)
    assert failures == []
    assert [(result.check.name, result.findings, result.error) for result in results if result.findings] == []
    first, last = results[: len(CHECKS)], results[-len(CHECKS) :]
    assert sum(result.looked_at for result in last) > sum(result.looked_at for result in first) > 0
