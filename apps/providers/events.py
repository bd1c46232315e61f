"""Names and payloads of what happens to connections. A name is the audit action and the event type alike."""

from typing import Any

from apps.outbox.types import NewEvent
from apps.providers.models import Connection, SyncRun

CONNECTION_CREATED = "connection.created"
CONNECTION_DELETED = "connection.deleted"
CONNECTION_SYNC_REQUESTED = "connection.sync_requested"
CONNECTION_SYNCED = "connection.synced"
CONNECTION_SYNC_FAILED = "connection.sync_failed"
CONNECTION_FAILED = "connection.failed"
CONNECTION_CREDENTIALS_ROTATED = "connection.credentials_rotated"


def connection_created(connection: Connection) -> NewEvent:
    """Build the event of a new connection."""
    return _event(CONNECTION_CREATED, connection, {})


def connection_deleted(connection: Connection) -> NewEvent:
    """Build the event of a connection that was disabled and whose credentials were destroyed."""
    return _event(CONNECTION_DELETED, connection, {})


def connection_synced(connection: Connection, run: SyncRun, *, is_first: bool) -> NewEvent:
    """Build the event of a finished run; the first one stands for all rows that it brought."""
    counts = {name: getattr(run, name) for name in ("added", "modified", "removed", "unchanged", "quarantined")}
    return _event(CONNECTION_SYNCED, connection, {"sync_run_id": str(run.id), "first": is_first, **counts})


def connection_failed(connection: Connection, run: SyncRun) -> NewEvent:
    """Build the event of a connection that stopped working: a person must act, or it failed N times in a row."""
    data = {"sync_run_id": str(run.id), "error": run.error, "consecutive_failures": connection.consecutive_failures}
    return _event(CONNECTION_FAILED, connection, data)


def _event(type_: str, connection: Connection, data: dict[str, Any]) -> NewEvent:
    common = {
        "connection_id": str(connection.id),
        "provider": connection.provider,
        "label": connection.label,
        "status": connection.status,
    }
    return NewEvent(type=type_, entity_type="connection", entity_id=connection.id, data={**common, **data})
