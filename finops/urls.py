"""Every URL of the platform."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

from apps.core.api.document import ServedDocument
from apps.core.api.problems import problem_page, reads
from apps.providers.api.inbound import receive as receive_hook
from finops import health, metrics

API_ROOMS = ["tenants", "providers", "market", "accounts", "orders", "webhooks", "outbox", "audit"]

api: list[URLPattern | URLResolver] = [
    path("openapi.json", SpectacularJSONAPIView.as_view(generator_class=ServedDocument), name="openapi"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs"),
    path("redoc", SpectacularRedocView.as_view(url_name="openapi"), name="redoc"),
    *[path("", include(f"apps.{room}.api.urls")) for room in API_ROOMS],
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", reads(RedirectView.as_view(pattern_name="admin:index"))),
    path("api/v1/", include(api)),
    path("admin/", admin.site.urls),
    path("hooks/<slug:provider>/<uuid:connection_id>", receive_hook, name="inbound-hook"),
    path("problems/<slug:code>", problem_page, name="problem"),
    path("livez", health.live),
    path("readyz", health.ready),
    path("startupz", health.started),
    path("metrics", metrics.export),
]

handler404 = "apps.core.api.problems.not_found"
handler500 = "apps.core.api.problems.server_error"
handler400 = "apps.core.api.problems.bad_request"
handler403 = "apps.core.api.problems.forbidden"
