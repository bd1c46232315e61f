"""One sync of one connection, from the lease to the settled job."""

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection as database

from apps.accounts.models import Account
from apps.accounts.sync import absence, accounts, applying, diff, holdings, recording, staging
from apps.accounts.sync.plan import make_plan
from apps.accounts.sync.reading import Clock, read_connection
from apps.accounts.sync.staging import Staged
from apps.accounts.types import AccountReading, ConnectionReading
from apps.core.ids import new_id
from apps.core.scope import tenant_scope, write_scope
from apps.jobs.errors import LeaseLost
from apps.jobs.services import settle
from apps.jobs.types import Lease
from apps.providers.models import Connection
from apps.providers.registry import adapter_for, holdings_of
from apps.providers.services import finish_run
from apps.providers.services.locking import lock_run
from apps.providers.types import SyncCounts

# A backfill of a million rows is one INSERT, longer than what a request may take.
_APPLY_TIMEOUT = "SET LOCAL statement_timeout = '10min'"


@dataclass(slots=True)
class Stages:
    """How long each stage took, in milliseconds."""

    milliseconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the block's time to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - started) * 1000
            self.milliseconds[name] = round(self.milliseconds.get(name, 0) + elapsed, 1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A reading, ready to be applied: what is applied depends on nothing but it and our rows."""

    reading: ConnectionReading
    account_ids: Mapping[str, UUID]
    staged: Staged


def synchronise(*, connection: Connection, run_id: UUID, lease: Lease, clock: Clock, stages: Stages) -> SyncCounts:
    """Read a connection and apply what changed, settling the lease in the same transaction.

    Raises:
        ProviderError, ReadingUnstable: nothing was applied.
        LeaseLost, SyncRunClosed: someone else has taken over; nothing was applied.
    """
    with stages.measure("plan"), tenant_scope(lease.tenant_id):
        plan = make_plan(tenant_id=lease.tenant_id, connection_id=connection.id, now=clock())
        ids = dict(Account.objects.filter(connection=connection).values_list("external_id", "id"))
        adapter = adapter_for(connection)
    with _collector_paused():
        with stages.measure("fetch"), adapter:
            reading = read_connection(adapter, plan, clock=clock, holder=holdings_of(connection, adapter))
        with stages.measure("stage"):
            account_ids = ids | {
                item.data.external_id: new_id() for item in reading.accounts if item.data.external_id not in ids
            }
            prepared = Prepared(reading, account_ids, staging.prepare(reading.accounts, account_ids))
        return apply_reading(prepared, run_id=run_id, lease=lease, now=clock(), stages=stages)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector: the rows of a backfill hold no cycles, and walking them costs a quarter."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def apply_reading(prepared: Prepared, *, run_id: UUID, lease: Lease, now: datetime, stages: Stages) -> SyncCounts:
    """Compare and apply in one transaction, with its records, the run's end and the job's."""
    with write_scope(lease.actor):
        run = lock_run(run_id)
        if not run.is_active or run.attempt > lease.attempt:
            # What was read may be older than what the other one applied. Settling would refuse it, too, but only
            # after all the work.
            raise LeaseLost(f"attempt {run.attempt} of run {run_id} has overtaken attempt {lease.attempt}")
        with database.cursor() as cursor:
            cursor.execute(_APPLY_TIMEOUT)
            counts = _apply(cursor, prepared, run.connection, run_id, lease, now, stages)
        finish_run(
            run_id=run_id,
            counts=counts,
            stages=stages.milliseconds,
            rejected=prepared.reading.rejected,
            is_mapped=prepared.reading.is_mapped,
            actor=lease.actor,
            now=now,
        )
        settle(lease, now=now)
    return counts


def _apply(
    cursor: Any, prepared: Prepared, connection: Connection, run_id: UUID, lease: Lease, now: datetime, stages: Stages
) -> SyncCounts:
    staged, tenant_id = prepared.staged, lease.tenant_id
    with stages.measure("copy"):
        staging.copy(cursor, staged)
    with stages.measure("diff"):
        book = accounts.open_accounts(connection, prepared.reading, prepared.account_ids, now=now)
        readings = _by_account(prepared)
        difference = diff.compare(
            cursor,
            tenant_id=tenant_id,
            readings=readings,
            first_reads=book.first_reads,
            accounts_of=[row.account_id for row in staged.rows],
        )
        difference = absence.believe(difference, staged, readings, book.accounts.values())
    with stages.measure("apply"):
        inherited = applying.apply(cursor, staged, difference, tenant_id=tenant_id, now=now)
        changes = accounts.close_book(book, readings, applying.posted_changes(staged, difference), now=now)
        held = holdings.apply(readings, tenant_id=tenant_id)
    with stages.measure("record"):
        recording.record(
            staged,
            difference,
            changes,
            held,
            rows=recording.batch_rows(staged, difference, inherited, changes, held),
            first_reads=book.first_reads,
            run_id=run_id,
            actor=lease.actor,
            now=now,
        )
    added, modified = len(difference.new), len(difference.changed)
    return SyncCounts(
        added=added,
        modified=modified,
        removed=len(difference.vanished),
        unchanged=len(staged.rows) - added - modified,
        quarantined=len(prepared.reading.rejected),
    )


def _by_account(prepared: Prepared) -> dict[UUID, AccountReading]:
    return {prepared.account_ids[item.data.external_id]: item for item in prepared.reading.accounts}
