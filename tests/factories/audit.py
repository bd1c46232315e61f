"""Audit entries for tests."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.audit.models import AuditEntry
from apps.audit.opening import open_entries
from apps.audit.services import BatchRow, record, record_batch, sequence_entries
from apps.audit.types import Personal
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from tests import databases

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def make_entry(
    tenant_id: UUID,
    *,
    action: str = "order.submitted",
    actor: Actor | None = None,
    target_type: str = "order",
    target_id: UUID | str | None = None,
    changes: Mapping[str, Any] | None = None,
    personal: Personal | None = None,
    now: datetime = NOW,
) -> AuditEntry:
    """Record one entry in a write scope of its own and return it."""
    actor = actor or system_actor("tests", tenant_id=tenant_id)
    with write_scope(actor):
        record(
            action=action,
            actor=actor,
            target_type=target_type,
            target_id=target_id or new_id(),
            now=now,
            changes=changes,
            personal=personal,
        )
        return AuditEntry.objects.filter(tenant_id=tenant_id).latest("position")


def make_entries(tenant_id: UUID, count: int, *, actor: Actor | None = None, now: datetime = NOW) -> None:
    """Record many entries in one write scope."""
    actor = actor or system_actor("tests", tenant_id=tenant_id)
    with write_scope(actor):
        for number in range(count):
            record(action="order.submitted", actor=actor, target_type="order", target_id=str(number), now=now)


def make_batch(
    tenant_id: UUID, rows: Sequence[BatchRow], *, target_id: UUID | None = None, now: datetime = NOW
) -> AuditEntry:
    """Record a batch in a write scope of its own and return its entry."""
    actor, target_id = system_actor("tests", tenant_id=tenant_id), target_id or new_id()
    with write_scope(actor):
        record_batch(
            action="accounts.synced",
            actor=actor,
            target_type="sync_run",
            target_id=target_id,
            now=now,
            rows=rows,
            summary={"added": [None, len(rows)]},
        )
        return AuditEntry.objects.filter(tenant_id=tenant_id).latest("position")


def make_rows(count: int) -> list[BatchRow]:
    """Return so many rows of a batch."""
    return [(str(row_id := new_id()), f'["row.created","{row_id}"]'.encode()) for _ in range(count)]


def run_sequencer(now: datetime = NOW) -> None:
    """Number what is pending, as the sequencer's worker login does, and come back to the web login."""
    name = connection.settings_dict["NAME"]
    databases.log_in("worker", name)
    while sequence_entries(now=now):
        pass
    databases.log_in("web", name)


def opened(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """Return the entries with what they say of people in its place again; in the scope that they are read in."""
    found = open_entries(entries)
    for each in found:
        each.entry.actor, each.entry.changes = each.actor, each.changes
    return [each.entry for each in found]
