"""Audit entries for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.audit.models import AuditEntry
from apps.audit.services import record
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def make_entry(
    tenant_id: UUID,
    *,
    action: str = "order.submitted",
    actor: Actor | None = None,
    target_type: str = "order",
    target_id: UUID | str | None = None,
    changes: Mapping[str, Any] | None = None,
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
        )
        return AuditEntry.objects.filter(tenant_id=tenant_id).latest("position")
