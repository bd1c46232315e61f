"""URLs of the webhooks API, under /api/v1/."""

from django.urls import path

from apps.webhooks.api import views

ENDPOINT = "webhooks/endpoints/<uuid:endpoint_id>"
DELIVERY = "webhooks/deliveries/<uuid:delivery_id>"

urlpatterns = [
    path("webhooks/endpoints", views.EndpointListView.as_view(), name="webhook-endpoints"),
    path(ENDPOINT, views.EndpointView.as_view(), name="webhook-endpoint"),
    path(f"{ENDPOINT}/rotate-secret", views.EndpointRotationView.as_view(), name="webhook-endpoint-rotation"),
    path(f"{ENDPOINT}/test", views.EndpointTestView.as_view(), name="webhook-endpoint-test"),
    path(f"{ENDPOINT}/recover", views.EndpointRecoveryView.as_view(), name="webhook-endpoint-recovery"),
    path("webhooks/deliveries", views.DeliveryListView.as_view(), name="webhook-deliveries"),
    path(DELIVERY, views.DeliveryView.as_view(), name="webhook-delivery"),
    path(f"{DELIVERY}/retry", views.DeliveryRetryView.as_view(), name="webhook-delivery-retry"),
    path("webhooks/event-types", views.EventTypeListView.as_view(), name="webhook-event-types"),
]
