"""Sync runs: asked for, started, finished, failed.

A run lives as long as its job: one run, one job, several attempts. The job is the truth. Its unique key is the
connection, so that whatever happens to a run row, at most one job works on a connection at a time.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.incidents import services as incidents
from apps.incidents.enums import Severity
from apps.jobs.services import enqueue
from apps.outbox import services as outbox
from apps.providers import events
from apps.providers.enums import ConnectionStatus, SyncStatus, SyncTrigger
from apps.providers.errors import ConnectionDisabled, SyncRunClosed
from apps.providers.models import ACTIVE_RUN, Connection, SyncRun
from apps.providers.services.locking import active_run, close_run, interrupted, lock_connection, lock_run
from apps.providers.services.quarantine import IsMapped, quarantine, resolve_mapped
from apps.providers.services.recording import record
from apps.providers.types import SYNC_CONNECTION, RejectedRow, SyncCounts, SyncFailure

INCIDENT_KIND = "connection.failing"
# A connection that waits for a person is still tried now and then: the person may have acted at the bank.
ATTENTION_INTERVAL_SECONDS = 24 * 3600
_STATE = (
    "status",
    "status_code",
    "status_message",
    "consecutive_failures",
    "last_synced_at",
    "next_sync_at",
    "version",
    "updated_at",
)


def request_sync(
    *, connection_id: UUID, trigger: str, actor: Actor, now: datetime, expected_version: int | None = None
) -> SyncRun:
    """Ask for a synchronisation; while one waits or works, return that one.

    Raises:
        NotFound, VersionConflict, ConnectionDisabled.
    """
    with write_scope(actor):
        connection = lock_connection(connection_id, expected_version=expected_version)
        if connection.is_disabled:
            raise ConnectionDisabled
        schedule_next(connection, now=now)
        connection.save(update_fields=["next_sync_at"])
        run_id = new_id()
        job = enqueue(
            kind=SYNC_CONNECTION,
            payload={"connection_id": str(connection.id), "run_id": str(run_id)},
            actor=actor,
            now=now,
            unique_key=str(connection.id),
        )
        working = UUID(job.payload["run_id"])
        running = active_run(connection)
        if running is not None and running.id != working:
            # Its job died or vanished without a word; the key is free, so nothing works on it any more.
            close_run(running, interrupted(), now=now)
        if working != run_id:
            return SyncRun.objects.get(id=working)
        run = SyncRun.objects.create(
            id=run_id,
            tenant_id=connection.tenant_id,
            connection=connection,
            trigger=trigger,
            job_id=job.id,
            created_at=now,
        )
        changes = {"sync_run_id": [None, str(run.id)], "trigger": [None, trigger]}
        record(events.CONNECTION_SYNC_REQUESTED, connection.id, changes, actor, now)
        return run


def start_run(*, run_id: UUID, attempt: int, actor: Actor, now: datetime) -> SyncRun:
    """Mark a run as running its n-th attempt; `run.connection` is loaded.

    A run that was left running by a killed worker, or whose dead job was replayed, starts again.

    Raises:
        SyncRunClosed: it has succeeded, was replaced, or its connection was deleted: there is nothing to do.
    """
    with write_scope(actor):
        run = lock_run(run_id)
        if run.status == SyncStatus.SUCCEEDED:
            raise SyncRunClosed(f"the run {run_id} has succeeded")
        if run.status == SyncStatus.FAILED:
            if active_run(run.connection) is not None:
                raise SyncRunClosed(f"another run has taken the place of {run_id}")
            run.trigger = SyncTrigger.RETRY
        run.status, run.attempt, run.finished_at = SyncStatus.RUNNING, attempt, None
        run.started_at = run.started_at or now
        run.save(update_fields=["status", "trigger", "attempt", "started_at", "finished_at"])
        return run


def finish_run(
    *,
    run_id: UUID,
    counts: SyncCounts,
    stages: Mapping[str, Any],
    rejected: Sequence[RejectedRow] = (),
    is_mapped: IsMapped | None = None,
    actor: Actor,
    now: datetime,
) -> SyncRun:
    """End a run as succeeded, in the transaction that applied its rows. `stages` are timings in milliseconds.

    `is_mapped` resolves the quarantined rows that the run could map.

    Raises:
        SyncRunClosed: the run is no longer running; let it roll the rows back.
    """
    with write_scope(actor):
        run = lock_run(run_id)
        connection = run.connection
        if not run.is_active:
            raise SyncRunClosed(f"the run {run_id} has ended")
        for name, value in asdict(counts).items():
            setattr(run, name, value)
        run.status, run.error, run.stages, run.finished_at = SyncStatus.SUCCEEDED, None, dict(stages), now
        run.save(update_fields=[*asdict(counts), "status", "error", "stages", "finished_at"])
        quarantine(run, rejected, now=now)
        if is_mapped is not None:
            resolve_mapped(connection, rejected, is_mapped, now=now)
        is_first, before = connection.last_synced_at is None, connection.status
        _recover(connection, actor=actor, now=now)
        outbox.emit(events.connection_synced(connection, run, is_first=is_first), actor=actor, now=now)
        changes = {name: [None, value] for name, value in asdict(counts).items()}
        changes |= {"sync_run_id": [None, str(run.id)], "status": [before, connection.status]}
        record(events.CONNECTION_SYNCED, connection.id, changes, actor, now)
        return run


def fail_run(
    *,
    run_id: UUID,
    failure: SyncFailure,
    will_retry: bool,
    actor: Actor,
    now: datetime,
    stages: Mapping[str, Any] | None = None,
) -> SyncRun | None:
    """Note that an attempt failed: the run waits again when its job will retry, otherwise it has failed.

    A failure that needs a person sets the connection to `needs_attention` at once. The N-th failure in a row
    opens an incident. A run that has ended is left alone; None means that there is nothing of it any more.
    """
    with write_scope(actor):
        ended = SyncRun.objects.filter(id=run_id).exclude(status__in=ACTIVE_RUN).first()
        if ended is not None:
            # Seen without a lock: the death of a job comes here with the job's row locked, while a request for
            # a new run holds the connection and waits for that job.
            return ended
        try:
            run = lock_run(run_id)
        except SyncRunClosed:
            return None
        if not run.is_active:
            return run
        run.status = SyncStatus.QUEUED if will_retry else SyncStatus.FAILED
        run.error = {"code": failure.code[:100], "message": failure.message[:500]}
        run.finished_at = None if will_retry else now
        if stages is not None:
            run.stages = dict(stages)
        run.save(update_fields=["status", "error", "finished_at", "stages"])
        _worsen(run, failure, will_retry=will_retry, actor=actor, now=now)
        return run


def schedule_next(connection: Connection, *, now: datetime, interval_seconds: float | None = None) -> None:
    """Set when the connection is due again: the interval, give or take a fifth, so that connections spread out."""
    interval = settings.SYNC_INTERVAL_SECONDS if interval_seconds is None else interval_seconds
    connection.next_sync_at = now + timedelta(seconds=interval * random.uniform(0.8, 1.2))  # noqa: S311  (spread, not secrecy)


def _recover(connection: Connection, *, actor: Actor, now: datetime) -> None:
    if connection.consecutive_failures:
        incidents.resolve_incident(kind=INCIDENT_KIND, key=str(connection.id), actor=actor, now=now)
    if connection.status != ConnectionStatus.ACTIVE:
        connection.version += 1
    connection.status, connection.status_code, connection.status_message = ConnectionStatus.ACTIVE, "", ""
    connection.consecutive_failures, connection.last_synced_at, connection.updated_at = 0, now, now
    schedule_next(connection, now=now)
    connection.save(update_fields=_STATE)


def _worsen(run: SyncRun, failure: SyncFailure, *, will_retry: bool, actor: Actor, now: datetime) -> None:
    connection, before = run.connection, run.connection.status
    connection.consecutive_failures += 1
    connection.updated_at = now
    if failure.needs_attention:
        connection.status = ConnectionStatus.NEEDS_ATTENTION
        connection.status_code, connection.status_message = failure.code[:100], failure.message[:500]
        connection.version += before != connection.status
    if not will_retry:
        schedule_next(
            connection, now=now, interval_seconds=ATTENTION_INTERVAL_SECONDS if failure.needs_attention else None
        )
    connection.save(update_fields=_STATE)
    changes = {"sync_run_id": [None, str(run.id)], "error": [None, run.error], "status": [before, connection.status]}
    record(events.CONNECTION_SYNC_FAILED, connection.id, changes, actor, now)
    is_nth = connection.consecutive_failures == settings.SYNC_FAILURES_BEFORE_INCIDENT
    if is_nth or connection.status != before:
        outbox.emit(events.connection_failed(connection, run), actor=actor, now=now)
        record(events.CONNECTION_FAILED, connection.id, changes, actor, now)
    if connection.consecutive_failures >= settings.SYNC_FAILURES_BEFORE_INCIDENT:
        _open_incident(connection, run, actor=actor, now=now)


def _open_incident(connection: Connection, run: SyncRun, *, actor: Actor, now: datetime) -> None:
    incidents.open_incident(
        kind=INCIDENT_KIND,
        key=str(connection.id),
        title=_("%(connection)s keeps failing to synchronise") % {"connection": connection},
        severity=Severity.WARNING,
        target_type="connection",
        target_id=connection.id,
        detail={
            "error": run.error,
            "consecutive_failures": connection.consecutive_failures,
            "sync_run_id": str(run.id),
        },
        actor=actor,
        now=now,
    )
