"""URLs of the providers API, under /api/v1/."""

from django.urls import path

from apps.providers.api import views

urlpatterns = [
    path("providers", views.ProviderListView.as_view(), name="providers"),
    path("connections", views.ConnectionListView.as_view(), name="connections"),
    path("connections/<uuid:connection_id>", views.ConnectionView.as_view(), name="connection"),
    path("connections/<uuid:connection_id>/sync", views.ConnectionSyncView.as_view(), name="connection-sync"),
    path("connections/<uuid:connection_id>/runs", views.SyncRunListView.as_view(), name="connection-runs"),
    path("sync-runs/<uuid:run_id>", views.SyncRunView.as_view(), name="sync-run"),
]
