"""What can be asked of a webhook endpoint: a new secret, a test, what it missed."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.serializers import NoBody
from apps.core.api.views import IF_MATCH
from apps.idempotency.http import run_idempotently
from apps.webhooks import services
from apps.webhooks.api.one_endpoint import EndpointBaseView, response_with_secret
from apps.webhooks.api.serializers import (
    DeliverySerializer,
    EndpointWithSecretSerializer,
    RecoveredSerializer,
    RecoverySerializer,
    RotationSerializer,
)

TAGS = ["Webhooks"]


class EndpointRotationView(EndpointBaseView):
    """POST /webhooks/endpoints/{id}/rotate-secret."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}
    sensitive = {"POST"}

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
