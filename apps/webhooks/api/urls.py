"""URLs of the webhooks API, under /api/v1/."""

from django.urls import path

from apps.webhooks.api import deliveries, endpoint_actions, endpoints, event_types

ENDPOINT = "webhooks/endpoints/<uuid:endpoint_id>"
DELIVERY = "webhooks/deliveries/<uuid:delivery_id>"

urlpatterns = [
    path("webhooks/endpoints", endpoints.EndpointListView.as_view(), name="webhook-endpoints"),
    path(ENDPOINT, endpoints.EndpointView.as_view(), name="webhook-endpoint"),
    path(
        f"{ENDPOINT}/rotate-secret",
        endpoint_actions.EndpointRotationView.as_view(),
        name="webhook-endpoint-rotation",
    ),
    path(f"{ENDPOINT}/test", endpoint_actions.EndpointTestView.as_view(), name="webhook-endpoint-test"),
    path(f"{ENDPOINT}/recover", endpoint_actions.EndpointRecoveryView.as_view(), name="webhook-endpoint-recovery"),
    path(f"{ENDPOINT}/recoveries", endpoint_actions.EndpointRecoveryListView.as_view(), name="webhook-recoveries"),
    path(f"{ENDPOINT}/enable", endpoint_actions.EndpointEnablingView.as_view(), name="webhook-endpoint-enabling"),
    path(
        f"{ENDPOINT}/check-signature",
        endpoint_actions.EndpointSignatureView.as_view(),
        name="webhook-endpoint-signature",
    ),
    path("webhooks/deliveries", deliveries.DeliveryListView.as_view(), name="webhook-deliveries"),
    path("webhooks/deliveries/retry", deliveries.DeliveriesRetryView.as_view(), name="webhook-deliveries-retry"),
    path(DELIVERY, deliveries.DeliveryView.as_view(), name="webhook-delivery"),
    path(f"{DELIVERY}/retry", deliveries.DeliveryRetryView.as_view(), name="webhook-delivery-retry"),
    path("webhooks/event-types", event_types.EventTypeListView.as_view(), name="webhook-event-types"),
    path("webhooks/event-types/<str:event_type>", event_types.EventTypeView.as_view(), name="webhook-event-type"),
]
