"""URLs of the providers API, under /api/v1/."""

from django.urls import path

from apps.providers.api import views

urlpatterns = [
    path("providers", views.ProviderList.as_view(), name="providers"),
    path("connections", views.ConnectionList.as_view(), name="connections"),
    path("connections/<uuid:connection_id>", views.ConnectionDetail.as_view(), name="connection"),
    path("connections/<uuid:connection_id>/sync", views.ConnectionSync.as_view(), name="connection-sync"),
    path("connections/<uuid:connection_id>/runs", views.ConnectionRuns.as_view(), name="connection-runs"),
    path("sync-runs/<uuid:run_id>", views.SyncRunDetail.as_view(), name="sync-run"),
]
