"""URLs of the audit API, under /api/v1/."""

from django.urls import path

from apps.audit.api import views

urlpatterns = [
    path("audit/entries", views.AuditEntryListView.as_view(), name="audit-entries"),
    path("audit/export", views.AuditExportView.as_view(), name="audit-export"),
    path("audit/verifier", views.AuditVerifierView.as_view(), name="audit-verifier"),
]
