"""Reading a tenant's events."""

from uuid import UUID

from django.db.models import QuerySet

from apps.outbox.models import OutboxEvent


def relayed_events_for(
    *, tenant_id: UUID, type: str | None = None, entity_id: UUID | None = None, after: int | None = None
) -> QuerySet[OutboxEvent]:
    """Return the tenant's relayed events that match every filter given; `after` is a sequence, exclusive."""
    filters = {"type": type, "entity_id": entity_id, "sequence__gt": after}
    given = {name: value for name, value in filters.items() if value is not None}
    return OutboxEvent.objects.filter(tenant_id=tenant_id, sequence__isnull=False, **given)
