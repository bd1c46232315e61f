"""A tenant's webhook endpoints."""

from uuid import UUID

import msgspec
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock, egress
from apps.core.api.parsers import UNREADABLE
from apps.core.api.permissions import Permission
from apps.core.api.views import IF_MATCH, TenantListView
from apps.idempotency.http import run_idempotently
from apps.webhooks import selectors, services
from apps.webhooks.api.one_endpoint import EndpointBaseView, endpoint_response, response_with_secret
from apps.webhooks.api.serializers import (
    EndpointChangeSerializer,
    EndpointSerializer,
    EndpointWithSecretSerializer,
    NewEndpointSerializer,
)
from apps.webhooks.models import Endpoint

TAGS = ["Webhooks"]


class EndpointListView(TenantListView):
    """GET and POST /webhooks/endpoints."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ, "POST": Permission.WEBHOOKS_WRITE}
    sensitive = {"POST"}
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
            "takes types, `order.*` for all about orders, and `*` for all, as does an empty list. `headers` are sent "
            "with every request; their values are kept sealed and never shown. With `signing` asymmetric there is no "
            "secret: requests carry Ed25519 signatures (`v1a`), which anybody can check with the "
            "`public_key`. Payloads are those of the API's date `api_version`, which the header `finops-version` "
            "repeats: left out, it is the newest one, and stays."
        ),
        tags=TAGS,
        request=NewEndpointSerializer,
        responses={201: EndpointWithSecretSerializer},
    )
    def post(self, request: Request) -> Response:
        refusal = _find_refusal(request)
        return run_idempotently(self, lambda: self._create(refusal), secret=True)

    def _create(self, refusal: egress.EgressRefused | None) -> Response:
        body = self.parse(NewEndpointSerializer)
        if refusal is not None:
            raise services.url_refused(refusal)
        created = services.create_endpoint(actor=self.actor, now=clock.now(), **body)
        location = f"{self.request.path.rstrip('/')}/{created.endpoint.id}"
        return response_with_secret(created.endpoint, created.secret, status=201, headers={"Location": location})


class EndpointView(EndpointBaseView):
    """GET, PATCH and DELETE /webhooks/endpoints/{id}."""

    required_permissions = {
        "GET": Permission.WEBHOOKS_READ,
        "PATCH": Permission.WEBHOOKS_WRITE,
        "DELETE": Permission.WEBHOOKS_WRITE,
    }
    sensitive = {"PATCH"}  # its address

    @extend_schema(
        operation_id="get_webhook_endpoint", summary="A webhook endpoint", tags=TAGS, responses=EndpointSerializer
    )
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        return endpoint_response(self.require_endpoint(endpoint_id))

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
        refusal = _find_refusal(request)
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
        return endpoint_response(endpoint)

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


class _BodyWithUrl(msgspec.Struct):
    url: str | None = None


def _find_refusal(request: Request) -> egress.EgressRefused | None:
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
