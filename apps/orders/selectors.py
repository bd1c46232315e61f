"""Reads of the orders room. Call them inside the tenant's scope."""

from uuid import UUID

from django.db.models import QuerySet

from apps.orders.models import RiskDecision


def decisions_for(
    *,
    tenant_id: UUID,
    account_id: UUID | None = None,
    order_id: UUID | None = None,
    outcome: str | None = None,
) -> QuerySet[RiskDecision]:
    """Return what the risk gate decided, narrowed down."""
    rows = RiskDecision.objects.filter(tenant_id=tenant_id)
    given = {"account_id": account_id, "order_id": order_id, "outcome": outcome}
    return rows.filter(**{name: value for name, value in given.items() if value is not None})
