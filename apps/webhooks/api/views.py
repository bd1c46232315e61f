"""A tenant's webhook endpoints, and what was delivered to them."""

from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock, egress
from apps.core.api.pagination import decode_cursor, encode_cursor
from apps.core.api.parsers import UNREADABLE
from apps.core.api.permissions import Permission
from apps.core.api.views import IF_MATCH, ListView, TenantListView, TenantView, etag
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.webhooks import catalogue, selectors, services
from apps.webhooks.api.serializers import (
    DeliveryQuery,
    DeliverySerializer,
    EndpointChangeSerializer,
    EndpointSerializer,
    EndpointWithSecretSerializer,
    EventTypeSerializer,
    NewEndpointSerializer,
    RecoveredSerializer,
    RecoverySerializer,
    RotationSerializer,
)
from apps.webhooks.models import Delivery, Endpoint

TAGS = ["Webhooks"]


class EndpointBaseView(TenantView):
    """What the views of one endpoint share: it is looked up before a key or a body is looked at."""

    def require_endpoint(self, endpoint_id: UUID) -> Endpoint:
        """Return the tenant's endpoint.

        Raises:
            NotFound: see `selectors.get_endpoint`.
        """
        with tenant_scope(self.tenant_id):
            return selectors.get_endpoint(tenant_id=self.tenant_id, endpoint_id=endpoint_id)


class EndpointListView(TenantListView):
    """GET and POST /webhooks/endpoints."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ, "POST": Permission.WEBHOOKS_WRITE}
    serializer_class = EndpointSerializer

    @extend_schema(operation_id="list_webhook_endpoints", summary="Webhook endpoints, newest first", tags=TAGS)
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Endpoint]:
        return selectors.endpoints_for(tenant_id=self.tenant_id)

    @extend_schema(
        operation_id="create_webhook_endpoint",
        summary="Create an endpoint; its secret is shown once",
        description=(
            "Requests follow the [Standard Webhooks](https://www.standardwebhooks.com) specification and are signed "
            "with the secret. Events of one entity arrive in their order; answer 2xx within 15 seconds. `event_types` "
            "takes types, `order.*` for all about orders, and `*` for all, as does an empty list."
        ),
        tags=TAGS,
        request=NewEndpointSerializer,
        responses={201: EndpointWithSecretSerializer},
    )
    def post(self, request: Request) -> Response:
        refusal = find_refusal(request)
        return run_idempotently(self, lambda: self._create(refusal), secret=True)

    def _create(self, refusal: egress.EgressRefused | None) -> Response:
        body = self.parse(NewEndpointSerializer)
        if refusal is not None:
            raise services.url_refused(refusal)
        created = services.create_endpoint(actor=self.actor, now=clock.now(), **body)
        location = f"{self.request.path.rstrip('/')}/{created.endpoint.id}"
        return _with_secret(created.endpoint, created.secret, status=201, headers={"Location": location})


class EndpointView(EndpointBaseView):
    """GET, PATCH and DELETE /webhooks/endpoints/{id}."""

    required_permissions = {
        "GET": Permission.WEBHOOKS_READ,
        "PATCH": Permission.WEBHOOKS_WRITE,
        "DELETE": Permission.WEBHOOKS_WRITE,
    }

    @extend_schema(
        operation_id="get_webhook_endpoint", summary="A webhook endpoint", tags=TAGS, responses=EndpointSerializer
    )
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        return _endpoint_response(self.require_endpoint(endpoint_id))

    @extend_schema(
        operation_id="update_webhook_endpoint",
        summary="Change a webhook endpoint",
        description=(
            "What waits goes to the new URL. Disabling discards what waits, and what happens while an endpoint is "
            "disabled is not queued for it."
        ),
        tags=TAGS,
        parameters=[IF_MATCH],
        request=EndpointChangeSerializer,
        responses=EndpointSerializer,
    )
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        self.require_endpoint(endpoint_id)
        refusal = find_refusal(request)
        body = self.parse(EndpointChangeSerializer)
        if refusal is not None:
            raise services.url_refused(refusal)
        endpoint = services.update_endpoint(
            endpoint_id=endpoint_id,
            expected_version=self.expected_version(),
            actor=self.actor,
            now=clock.now(),
            **body,
        )
        return _endpoint_response(endpoint)

    @extend_schema(
        operation_id="delete_webhook_endpoint",
        summary="Delete a webhook endpoint; its deliveries stay, those that wait are discarded",
        tags=TAGS,
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        services.delete_endpoint(
            endpoint_id=endpoint_id, expected_version=self.expected_version(), actor=self.actor, now=clock.now()
        )
        return Response(status=204)


class EndpointRotationView(EndpointBaseView):
    """POST /webhooks/endpoints/{id}/rotate-secret."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        summary="Give an endpoint a new secret, which is shown once",
        description="For `grace_seconds` (a day, if not said) requests carry a signature by the old one, too.",
        tags=TAGS,
        parameters=[IF_MATCH],
        request=RotationSerializer,
        responses=EndpointWithSecretSerializer,
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        self.require_endpoint(endpoint_id)
        return run_idempotently(self, lambda: self._rotate(endpoint_id), secret=True)

    def _rotate(self, endpoint_id: UUID) -> Response:
        body = self.parse(RotationSerializer)
        endpoint, secret = services.rotate_secret(
            endpoint_id=endpoint_id,
            expected_version=self.expected_version(),
            actor=self.actor,
            now=clock.now(),
            **body,
        )
        return _with_secret(endpoint, secret)


class EndpointTestView(EndpointBaseView):
    """POST /webhooks/endpoints/{id}/test."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}

    @extend_schema(
        operation_id="test_webhook_endpoint",
        summary="Send a `webhook.test` to an endpoint",
        tags=TAGS,
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        self.require_endpoint(endpoint_id)
        return run_idempotently(self, lambda: self._test(endpoint_id))

    def _test(self, endpoint_id: UUID) -> Response:
        delivery = services.send_test_event(endpoint_id=endpoint_id, actor=self.actor, now=clock.now())
        base = self.request.path.split("/endpoints/")[0]
        data = DeliverySerializer(delivery).data
        return Response(data, status=202, headers={"Location": f"{base}/deliveries/{delivery.id}"})


class EndpointRecoveryView(EndpointBaseView):
    """POST /webhooks/endpoints/{id}/recover."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}

    @extend_schema(
        operation_id="recover_webhook_endpoint",
        summary="Send again what failed or was discarded since a time",
        description="The oldest first, 10,000 at a time; each keeps its id.",
        tags=TAGS,
        request=RecoverySerializer,
        responses={202: RecoveredSerializer},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        self.require_endpoint(endpoint_id)
        return run_idempotently(self, lambda: self._recover(endpoint_id))

    def _recover(self, endpoint_id: UUID) -> Response:
        body = self.parse(RecoverySerializer)
        count = services.recover(endpoint_id=endpoint_id, actor=self.actor, now=clock.now(), **body)
        return Response({"queued_again": count}, status=202)


class DeliveryListView(TenantListView):
    """GET /webhooks/deliveries."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ}
    query_serializer = DeliveryQuery
    serializer_class = DeliverySerializer

    @extend_schema(operation_id="list_webhook_deliveries", summary="Deliveries, newest first", tags=TAGS)
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Delivery]:
        query = self.query
        rows = selectors.deliveries_for(
            tenant_id=self.tenant_id,
            endpoint_id=query.get("endpoint"),
            status=query.get("status"),
            event_type=query.get("event_type"),
        )
        return selectors.with_attempts(rows)


class DeliveryView(TenantView):
    """GET /webhooks/deliveries/{id}."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ}

    @extend_schema(
        operation_id="get_webhook_delivery",
        summary="A delivery with its attempts",
        tags=TAGS,
        responses=DeliverySerializer,
    )
    def get(self, request: Request, delivery_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            delivery = selectors.get_delivery(tenant_id=self.tenant_id, delivery_id=delivery_id)
            return Response(DeliverySerializer(delivery).data)


class DeliveryRetryView(TenantView):
    """POST /webhooks/deliveries/{id}/retry."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}

    @extend_schema(
        operation_id="retry_webhook_delivery",
        summary="Send a delivery now, whatever became of it; it keeps its id",
        tags=TAGS,
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, delivery_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            selectors.get_delivery(tenant_id=self.tenant_id, delivery_id=delivery_id)
        return run_idempotently(self, lambda: self._retry(delivery_id))

    def _retry(self, delivery_id: UUID) -> Response:
        delivery = services.retry_delivery(delivery_id=delivery_id, actor=self.actor, now=clock.now())
        return Response(DeliverySerializer(delivery).data, status=202)


class EventTypeListView(ListView):
    """GET /webhooks/event-types."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ}
    serializer_class = EventTypeSerializer

    @extend_schema(operation_id="list_webhook_event_types", summary="Event types, by name", tags=TAGS)
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        after = decode_cursor(cursor, [str])[0] if cursor else ""
        found = [name for name in sorted(catalogue.EVENT_TYPES) if name > after]
        next_cursor = encode_cursor([found[limit - 1]]) if len(found) > limit else None
        page = [{"type": name, "description": catalogue.EVENT_TYPES[name]} for name in found[:limit]]
        return self.serialize(page), next_cursor


class _BodyWithUrl(msgspec.Struct):
    url: str | None = None


def find_refusal(request: Request) -> egress.EgressRefused | None:
    """Look where the host of the body's URL leads, for as long as that takes: outside of any transaction.

    It reads the raw body. What cannot be read, and a URL that is refused by its looks, are refused in their turn.
    """
    try:
        body = msgspec.json.decode(request._request.body, type=_BodyWithUrl)
        if body.url is not None:
            egress.check_resolution(egress.check_url(body.url))
    except egress.EgressRefused as refusal:
        return refusal
    except UNREADABLE:
        return None
    return None


def _endpoint_response(endpoint: Endpoint) -> Response:
    return Response(EndpointSerializer(endpoint).data, headers={"ETag": etag(endpoint.version)})


def _with_secret(
    endpoint: Endpoint, secret: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    data = {**EndpointSerializer(endpoint).data, "secret": secret}
    return Response(
        data, status=status, headers={"ETag": etag(endpoint.version), "Cache-Control": "no-store", **(headers or {})}
    )
