"""Reading endpoints and deliveries; the admin's staff scope passes no tenant where all are meant."""

from datetime import datetime
from uuid import UUID

from django.db.models import Min, Q, QuerySet

from apps.core.db.finding import get_one
from apps.webhooks.enums import LOST_STATUSES, DeliveryStatus
from apps.webhooks.models import Delivery, Endpoint, Recovery


def endpoints_for(*, tenant_id: UUID) -> QuerySet[Endpoint]:
    """Return the tenant's endpoints that were not deleted."""
    return Endpoint.objects.filter(tenant_id=tenant_id, deleted_at=None)


def get_endpoint(*, tenant_id: UUID, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint.

    Raises:
        NotFound: the tenant has none of this id, or deleted it.
    """
    return get_one(endpoints_for(tenant_id=tenant_id).filter(id=endpoint_id))


def recoveries_of(endpoint: Endpoint) -> QuerySet[Recovery]:
    """Return an endpoint's recoveries."""
    return Recovery.objects.filter(tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id)


def lost_while_failing(endpoint: Endpoint) -> QuerySet[Delivery]:
    """Return what an endpoint has lost since it began to fail; nothing of one that does not."""
    if endpoint.failing_since is None:
        return Delivery.objects.none()
    return Delivery.objects.filter(
        tenant_id=endpoint.tenant_id,
        endpoint_id=endpoint.id,
        status__in=LOST_STATUSES,
        finished_at__gte=endpoint.failing_since,
    )


def missed_by(endpoint: Endpoint) -> int:
    """Return how many deliveries a replay would send again: what was lost of those made since the first of them."""
    first = lost_while_failing(endpoint).aggregate(at=Min("created_at"))["at"]
    if first is None:
        return 0
    lost = Delivery.objects.filter(tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, status__in=LOST_STATUSES)
    return lost.filter(created_at__gte=first).count()


def deliveries_for(
    *,
    tenant_id: UUID,
    endpoint_id: UUID | None = None,
    status: str | None = None,
    event_type: str | None = None,
) -> QuerySet[Delivery]:
    """Return the tenant's deliveries that match every filter given; their bodies are read when asked for."""
    filters = {"endpoint_id": endpoint_id, "status": status, "event_type": event_type}
    given = {name: value for name, value in filters.items() if value is not None}
    return Delivery.objects.filter(tenant_id=tenant_id, **given).defer("body")


def get_delivery(*, tenant_id: UUID, delivery_id: UUID) -> Delivery:
    """Return a delivery.

    Raises:
        NotFound: the tenant has none of this id.
    """
    return get_one(deliveries_for(tenant_id=tenant_id).filter(id=delivery_id))


def are_due(now: datetime) -> Q:
    """Return the condition of the deliveries that should go out now; what a killed sender left is due again."""
    is_free = Q(leased_until=None) | Q(leased_until__lte=now)
    return is_free & Q(status=DeliveryStatus.PENDING, next_attempt_at__lte=now)


def with_attempts(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Read the attempts of deliveries along, in one more query for all of them."""
    return deliveries.prefetch_related("attempts")
