"""The webhooks room's own events. A name is audit action and event type alike; deliveries themselves make none."""

from collections.abc import Mapping
from typing import Annotated, TypedDict
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.outbox.catalogue import define
from apps.outbox.payloads import Instant, says
from apps.outbox.types import NewEvent
from apps.webhooks.enums import EndpointStatus, Signing
from apps.webhooks.models import Endpoint


class EndpointData(TypedDict):
    """A webhook endpoint, without its secret."""

    id: Annotated[UUID, says("The endpoint.")]
    url: Annotated[str, says("Where events are posted.", "https://hooks.acme.example/finops")]
    event_types: Annotated[list[str], says("What it is sent; empty is everything.", ["order.*"])]
    description: Annotated[str, says("What the client says of it.", "Order router")]
    header_names: Annotated[list[str], says("The headers of its own that requests to it carry.", ["Authorization"])]
    signing: Annotated[str, says("Which keys sign: a shared secret, or a pair of keys.", one_of=Signing.values)]
    public_key: Annotated[str | None, says("What checks the signatures of a pair of keys.")]
    status: Annotated[str, says("Whether it is sent to.", one_of=EndpointStatus.values)]
    disabled_reason: Annotated[str | None, says("Why the platform has disabled it.")]
    failing_since: Annotated[Instant | None, says("The first failure after which nothing has arrived.")]
    api_version: Annotated[str, says("The date of the API whose payloads it is sent.", "2026-11-22")]
    version: Annotated[int, says("It grows with each change.")]
    created_at: Annotated[Instant, says("When it was made.")]
    updated_at: Annotated[Instant, says("When it last changed.")]


class FailingEndpointData(EndpointData):
    """A webhook endpoint at which nothing arrives."""

    notice: Annotated[int, says("Which of the three notices it is.", 1)]
    disabled_from: Annotated[Instant, says("When it is disabled, unless something arrives.", "2026-03-07T14:30:00Z")]


class TestData(TypedDict):
    """What a test says."""

    endpoint_id: Annotated[UUID, says("The endpoint that is tested.")]
    message: Annotated[str, says("A sentence for people.", "This is a test.")]


ENDPOINT_CREATED = define("webhook_endpoint.created", EndpointData, _("A webhook endpoint was created."))
ENDPOINT_UPDATED = define("webhook_endpoint.updated", EndpointData, _("A webhook endpoint has changed."))
ENDPOINT_DELETED = define("webhook_endpoint.deleted", EndpointData, _("A webhook endpoint was deleted."))
ENDPOINT_DISABLED = define(
    "webhook_endpoint.disabled", EndpointData, _("The platform has disabled a webhook endpoint.")
)
ENDPOINT_FAILING = define(
    "webhook_endpoint.failing",
    FailingEndpointData,
    _("Nothing has arrived at a webhook endpoint for hours or days: `notice` 1 to 3."),
    sample={"failing_since": "2026-03-02T14:30:00Z"},
)
ENDPOINT_SECRET_ROTATED = define(
    "webhook_endpoint.secret_rotated", EndpointData, _("A webhook endpoint has a new secret.")
)
# Audit actions alone: telling of a delivery by another one would never end.
ENDPOINT_TESTED = "webhook_endpoint.tested"
ENDPOINT_RECOVERED = "webhook_endpoint.recovered"
DELIVERY_RETRIED = "webhook_delivery.retried"
DELIVERIES_RETRIED = "webhook_endpoint.deliveries_retried"
SECRET_RESEALED = "webhook_secret.resealed"  # noqa: S105  (a name)

# Kinds of incidents; the key is the endpoint's id.
FAILING_INCIDENT, DISABLED_INCIDENT = "webhook_endpoint.failing", "webhook_endpoint.disabled"

# What POST .../test sends. It is in no outbox: it has not happened.
TEST = define("webhook.test", TestData, _("A test that was asked for; it is sent whatever an endpoint subscribes to."))


def endpoint_event(type_: str, endpoint: Endpoint, told: Mapping[str, object]) -> NewEvent:
    """Build the event of an endpoint; its data is what the API shows of it, and what else is told."""
    data = {**endpoint_data(endpoint), **told}
    return NewEvent(type=type_, entity_type="webhook_endpoint", entity_id=endpoint.id, data=data)


def endpoint_data(endpoint: Endpoint) -> EndpointData:
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
        "api_version": endpoint.api_version,
        "version": endpoint.version,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }
