"""What can be asked of a webhook endpoint: a new secret, a test, what it missed."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.serializers import NoBody
from apps.core.api.views import IF_MATCH, TenantListView, etag
from apps.idempotency.http import run_idempotently
from apps.webhooks import selectors, services
from apps.webhooks.api.one_endpoint import EndpointBaseView, response_with_secret
from apps.webhooks.api.serializers import (
    DeliverySerializer,
    DiagnosisSerializer,
    EnabledEndpointSerializer,
    EnablingSerializer,
    EndpointSerializer,
    EndpointWithSecretSerializer,
    ReceivedSerializer,
    RecoveryRequestSerializer,
    RecoverySerializer,
    RotationSerializer,
)
from apps.webhooks.diagnosis import is_right
from apps.webhooks.models import Recovery
from apps.webhooks.selectors.signatures import Received, check_signature

TAGS = ["Webhooks"]


class EndpointRotationView(EndpointBaseView):
    """POST /webhooks/endpoints/{id}/rotate-secret."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}
    sensitive = {"POST"}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        summary="Give an endpoint a new secret, which is shown once",
        description=(
            "For `grace_seconds` (a day, if not said) requests carry a signature by the old one, too. `signing` "
            "changes how requests are signed."
        ),
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
        return response_with_secret(endpoint, secret)


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
        self.parse(NoBody)
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
        description=(
            "The oldest first; each keeps its id. The first 500 are queued at once, the rest in batches: see "
            "`GET .../recoveries` for how far it is."
        ),
        tags=TAGS,
        request=RecoveryRequestSerializer,
        responses={202: RecoverySerializer},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        self.require_endpoint(endpoint_id)
        return run_idempotently(self, lambda: self._recover(endpoint_id))

    def _recover(self, endpoint_id: UUID) -> Response:
        body = self.parse(RecoveryRequestSerializer)
        recovery = services.recover(endpoint_id=endpoint_id, actor=self.actor, now=clock.now(), **body)
        return Response(RecoverySerializer(recovery).data, status=202)


class EndpointRecoveryListView(TenantListView):
    """GET /webhooks/endpoints/{id}/recoveries."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ}
    serializer_class = RecoverySerializer

    @extend_schema(operation_id="list_webhook_recoveries", summary="An endpoint's recoveries, newest first", tags=TAGS)
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Recovery]:
        endpoint = selectors.get_endpoint(tenant_id=self.tenant_id, endpoint_id=self.kwargs["endpoint_id"])
        return selectors.recoveries_of(endpoint)


class EndpointEnablingView(EndpointBaseView):
    """POST /webhooks/endpoints/{id}/enable."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}

    @extend_schema(
        operation_id="enable_webhook_endpoint",
        summary="Enable an endpoint and send again what it has missed since its first failure",
        description=(
            "For one that the platform has disabled. After days of failure what happened meanwhile was kept, too, for "
            "30 days, and is sent in its order. An endpoint that is enabled is left as it is."
        ),
        tags=TAGS,
        parameters=[IF_MATCH],
        request=EnablingSerializer,
        responses=EnabledEndpointSerializer,
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        self.require_endpoint(endpoint_id)
        return run_idempotently(self, lambda: self._enable(endpoint_id))

    def _enable(self, endpoint_id: UUID) -> Response:
        body = self.parse(EnablingSerializer)
        endpoint, recovery = services.enable_endpoint(
            endpoint_id=endpoint_id,
            expected_version=self.expected_version(),
            actor=self.actor,
            now=clock.now(),
            **body,
        )
        told = RecoverySerializer(recovery).data if recovery else None
        data = {**EndpointSerializer(endpoint).data, "recovery": told}
        return Response(data, headers={"ETag": etag(endpoint.version)})


class EndpointSignatureView(EndpointBaseView):
    """POST /webhooks/endpoints/{id}/check-signature."""

    required_permissions = {"POST": Permission.WEBHOOKS_READ}

    @extend_schema(
        operation_id="check_webhook_signature",
        summary="Say why a request's signature does not fit, or that it does",
        description=(
            "Paste a request as your server has received it. Each step is told in the order in which a receiver "
            "checks: headers, time, body against what was sent under its `webhook-id`, and which secret has made which "
            "signature; where none fits, what has probably happened to the request, or what your code does instead. "
            "Nothing of it is stored or logged; the secret can be left out."
        ),
        tags=TAGS,
        request=ReceivedSerializer,
        responses=DiagnosisSerializer,
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        self.require_endpoint(endpoint_id)
        return run_idempotently(self, lambda: self._check(endpoint_id), secret=True)

    def _check(self, endpoint_id: UUID) -> Response:
        body = self.parse(ReceivedSerializer)
        endpoint = selectors.get_endpoint(tenant_id=self.tenant_id, endpoint_id=endpoint_id)
        received = Received(
            headers=body["headers"], body=body["body"], secret=body["secret"], computed=body["computed_signature"]
        )
        steps = check_signature(endpoint, received, now=clock.now())
        answer = {"is_right": is_right(steps), "steps": steps}
        return Response(DiagnosisSerializer(answer).data, headers={"Cache-Control": "no-store"})
