"""Reading the audit log of a tenant."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.audit.models import AuditEntry


def entries_for(
    *,
    tenant_id: UUID,
    action: str | None = None,
    actor_id: UUID | None = None,
    target_type: str | None = None,
    target_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Return the tenant's entries that match every filter given; `since` is inclusive, `until` exclusive."""
    filters = {
        "action": action,
        "actor_id": actor_id,
        "target_type": target_type,
        "target_id": target_id,
        "at__gte": since,
        "at__lt": until,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    return AuditEntry.objects.filter(tenant_id=tenant_id, **given)


def numbered_from(entries: QuerySet[AuditEntry], *, first: int) -> QuerySet[AuditEntry]:
    """Return those of the entries that have a place in the log from `first` on, in the log's order."""
    return entries.filter(sequence__gte=first).order_by("sequence")
