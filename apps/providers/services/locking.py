"""Lock order of the room: the connection first, then its runs. Whoever holds the connection may change its runs."""

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.db.finding import get_one
from apps.providers.enums import SyncStatus
from apps.providers.errors import SyncRunClosed
from apps.providers.models import ACTIVE_RUN, Connection, SyncRun
from apps.providers.types import SyncFailure


def lock_connection(connection_id: UUID, *, expected_version: int | None = None) -> Connection:
    """Lock a connection of the open scope's tenant.

    Raises:
        NotFound: there is none.
        VersionConflict: it has another version than expected.
    """
    connection = get_one(Connection.objects.select_for_update().filter(id=connection_id))
    connection.require_version(expected_version)
    return connection


def lock_run(run_id: UUID) -> SyncRun:
    """Lock a run and, before it, its connection (`run.connection`).

    Raises:
        SyncRunClosed: there is no such run, or its connection was deleted.
    """
    connection_id = SyncRun.objects.filter(id=run_id).values_list("connection_id", flat=True).first()
    if connection_id is None:
        raise SyncRunClosed(f"there is no run {run_id}")
    connection = lock_connection(connection_id)
    if connection.is_disabled:
        raise SyncRunClosed(f"the connection {connection_id} is disabled")
    run = SyncRun.objects.select_for_update().get(id=run_id)
    run.connection = connection
    return run


def active_run(connection: Connection) -> SyncRun | None:
    """Return the locked connection's run that waits or works."""
    return SyncRun.objects.filter(connection=connection, status__in=ACTIVE_RUN).first()


def close_run(run: SyncRun, failure: SyncFailure, *, now: datetime) -> None:
    """End a run as failed, without counting it against its connection."""
    run.status, run.finished_at = SyncStatus.FAILED, now
    run.error = {"code": failure.code, "message": failure.message}
    run.save(update_fields=["status", "finished_at", "error"])


def interrupted() -> SyncFailure:
    """Describe a run whose job died or vanished."""
    return SyncFailure(code="sync_interrupted", message=_("The run's job is gone; a new run has taken its place."))


def disconnected() -> SyncFailure:
    """Describe a run whose connection was deleted."""
    return SyncFailure(code="connection_disabled", message=_("The connection was deleted before the run ended."))
