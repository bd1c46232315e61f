"""What a tenant's audit log and outbox hold, in the order of writing."""

from typing import Any
from uuid import UUID

from apps.audit.models import AuditEntry
from apps.core.scope import staff_scope, tenant_scope
from apps.outbox.models import OutboxEvent
from tests.factories.audit import opened


def leaves(tenant_id: UUID | None) -> list[tuple[str, dict[str, Any]]]:
    """Return (action, changes) of each leaf; without a tenant, of the installation's own log."""
    with staff_scope() if tenant_id is None else tenant_scope(tenant_id):
        entries = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("position")
        return [(entry.action, entry.changes) for entry in opened(entries)]


def actions(tenant_id: UUID | None) -> list[str]:
    """Return the actions of a log."""
    return [action for action, _changes in leaves(tenant_id)]


def emitted(tenant_id: UUID) -> list[tuple[str, dict[str, Any]]]:
    """Return (type, data) of each event."""
    with tenant_scope(tenant_id):
        return [(event.type, event.data) for event in OutboxEvent.objects.order_by("position")]
