"""What was delivered to a tenant's endpoints."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.serializers import NoBody
from apps.core.api.views import TenantListView, TenantView
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.webhooks import selectors, services
from apps.webhooks.api.serializers import DeliveryQuery, DeliverySerializer, ResentSerializer, RetrySerializer
from apps.webhooks.models import Delivery

TAGS = ["Webhooks"]


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
        self.parse(NoBody)
        delivery = services.retry_delivery(delivery_id=delivery_id, actor=self.actor, now=clock.now())
        return Response(DeliverySerializer(delivery).data, status=202)


class DeliveriesRetryView(TenantView):
    """POST /webhooks/deliveries/retry."""

    required_permissions = {"POST": Permission.WEBHOOKS_WRITE}

    @extend_schema(
        operation_id="retry_webhook_deliveries",
        summary="Send many deliveries again; each keeps its id",
        description=(
            "Up to 200 `ids`, whatever became of them, all or none. Or a filter over those that failed or were "
            "discarded at endpoints that are enabled: 500 at a time, each endpoint's oldest first; ask again while "
            "`has_more`. What happens between two such calls is sent at once; `POST .../recover` brings back all that "
            "an endpoint missed before anything that happens meanwhile."
        ),
        tags=TAGS,
        request=RetrySerializer,
        responses={202: ResentSerializer},
    )
    def post(self, request: Request) -> Response:
        return run_idempotently(self, self._retry)

    def _retry(self) -> Response:
        body = self.parse(RetrySerializer)
        if "ids" in body:
            resent = services.retry_deliveries(ids=body["ids"], actor=self.actor, now=clock.now())
        else:
            lost = services.LostFilter(endpoint_id=body.pop("endpoint", None), **body)
            resent = services.retry_lost(lost=lost, actor=self.actor, now=clock.now())
        return Response(ResentSerializer(resent).data, status=202)
