"""The webhooks room's own events. A name is audit action and event type alike; deliveries themselves make none."""

from collections.abc import Mapping
from typing import Any

from apps.outbox.types import NewEvent
from apps.webhooks.models import Endpoint

ENDPOINT_CREATED = "webhook_endpoint.created"
ENDPOINT_UPDATED = "webhook_endpoint.updated"
ENDPOINT_DELETED = "webhook_endpoint.deleted"
ENDPOINT_DISABLED = "webhook_endpoint.disabled"
ENDPOINT_FAILING = "webhook_endpoint.failing"
ENDPOINT_SECRET_ROTATED = "webhook_endpoint.secret_rotated"  # noqa: S105  (a name)
# Audit actions alone: telling of a delivery by another one would never end.
ENDPOINT_TESTED = "webhook_endpoint.tested"
ENDPOINT_RECOVERED = "webhook_endpoint.recovered"
DELIVERY_RETRIED = "webhook_delivery.retried"
SECRET_RESEALED = "webhook_secret.resealed"  # noqa: S105  (a name)

# Kinds of incidents; the key is the endpoint's id.
FAILING_INCIDENT, DISABLED_INCIDENT = "webhook_endpoint.failing", "webhook_endpoint.disabled"

# What POST .../test sends. It is in no outbox: it has not happened.
TEST = "webhook.test"


def endpoint_event(type_: str, endpoint: Endpoint, told: Mapping[str, Any]) -> NewEvent:
    """Build the event of an endpoint; its data is what the API shows of it, and what else is told."""
    data = {**endpoint_data(endpoint), **told}
    return NewEvent(type=type_, entity_type="webhook_endpoint", entity_id=endpoint.id, data=data)


def endpoint_data(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint in the API's shape, without its secret."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "description": endpoint.description,
        "header_names": list(endpoint.header_names),
        "signing": str(endpoint.signing),
        "public_key": endpoint.public_key or None,
        "status": str(endpoint.status),
        "disabled_reason": endpoint.disabled_reason or None,
        "failing_since": endpoint.failing_since,
        "version": endpoint.version,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }
