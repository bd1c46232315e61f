"""Names and payloads of what happens to connections. A name is the audit action and the event type alike."""

from typing import Annotated, TypedDict
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.outbox.catalogue import define
from apps.outbox.payloads import says
from apps.outbox.types import NewEvent
from apps.providers.enums import ConnectionStatus
from apps.providers.models import Connection, SyncRun


class ConnectionData(TypedDict):
    """A connection to a provider."""

    connection_id: Annotated[UUID, says("The connection.")]
    provider: Annotated[str, says("The provider.", "teller")]
    label: Annotated[str, says("What the client calls it.", "Main bank")]
    status: Annotated[str, says("Whether it works.", one_of=ConnectionStatus.values)]


class SyncedData(ConnectionData):
    """A connection and what a sync of it has found."""

    sync_run_id: Annotated[UUID, says("The sync.")]
    first: Annotated[bool, says("Whether it was the first: it stands for all rows that it brought.")]
    added: Annotated[int, says("How many rows are new.", 12)]
    modified: Annotated[int, says("How many have changed.", 3)]
    removed: Annotated[int, says("How many the provider does not show any more.", 0)]
    unchanged: Annotated[int, says("How many are as they were.", 240)]
    quarantined: Annotated[int, says("How many made no sense and were put aside for people.", 0)]


class SyncErrorData(TypedDict):
    """What went wrong."""

    code: Annotated[str, says("A stable name of it.", "auth")]
    message: Annotated[str, says("The same in words.", "The provider refuses the credentials.")]


class FailureData(ConnectionData):
    """A connection and the sync that failed."""

    sync_run_id: Annotated[UUID, says("The sync.")]
    error: Annotated[SyncErrorData, says("What went wrong.")]
    consecutive_failures: Annotated[int, says("How many syncs in a row have failed.", 3)]


CONNECTION_CREATED = define("connection.created", ConnectionData, _("A provider was connected."))
CONNECTION_DELETED = define(
    "connection.deleted", ConnectionData, _("A connection was disabled and its credentials were destroyed.")
)
CONNECTION_SYNC_REQUESTED = "connection.sync_requested"
CONNECTION_SYNCED = define(
    "connection.synced",
    SyncedData,
    _("A connection's sync has finished; the first one stands for all rows it brought."),
)
CONNECTION_SYNC_FAILED = "connection.sync_failed"
CONNECTION_FAILED = define("connection.failed", FailureData, _("A connection has stopped working."))
CONNECTION_HOOK_RECEIVED = "connection.hook_received"
CONNECTION_HOOK_REPLAYED = "connection.hook_replayed"
CONNECTION_CREDENTIALS_ROTATED = "connection.credentials_rotated"


def connection_created(connection: Connection) -> NewEvent:
    """Build the event of a new connection."""
    return _event(CONNECTION_CREATED, connection, _data(connection))


def connection_deleted(connection: Connection) -> NewEvent:
    """Build the event of a connection that was disabled and whose credentials were destroyed."""
    return _event(CONNECTION_DELETED, connection, _data(connection))


def connection_synced(connection: Connection, run: SyncRun, *, is_first: bool) -> NewEvent:
    """Build the event of a finished run; the first one stands for all rows that it brought."""
    data: SyncedData = {
        **_data(connection),
        "sync_run_id": run.id,
        "first": is_first,
        "added": run.added,
        "modified": run.modified,
        "removed": run.removed,
        "unchanged": run.unchanged,
        "quarantined": run.quarantined,
    }
    return _event(CONNECTION_SYNCED, connection, data)


def connection_failed(connection: Connection, run: SyncRun) -> NewEvent:
    """Build the event of a connection that stopped working: a person must act, or it failed N times in a row."""
    assert run.error is not None, "a failed run says why"
    data: FailureData = {
        **_data(connection),
        "sync_run_id": run.id,
        "error": run.error,
        "consecutive_failures": connection.consecutive_failures,
    }
    return _event(CONNECTION_FAILED, connection, data)


def _data(connection: Connection) -> ConnectionData:
    return {
        "connection_id": connection.id,
        "provider": connection.provider,
        "label": connection.label,
        "status": connection.status,
    }


def _event(type_: str, connection: Connection, data: ConnectionData) -> NewEvent:
    return NewEvent(type=type_, entity_type="connection", entity_id=connection.id, data=data)
