"""URLs of the audit API, under /api/v1/."""

from django.urls import path

from apps.audit.api import proof_views, views

urlpatterns = [
    path("audit/entries", views.AuditEntryListView.as_view(), name="audit-entries"),
    path("audit/export", views.AuditExportView.as_view(), name="audit-export"),
    path("audit/verifier", views.AuditVerifierView.as_view(), name="audit-verifier"),
    path("audit/checkpoint", proof_views.CheckpointView.as_view(), name="audit-checkpoint"),
    path("audit/proof/<uuid:entry_id>", proof_views.ProofView.as_view(), name="audit-proof"),
    path(
        "audit/entries/<uuid:entry_id>/rows/<uuid:row_id>", proof_views.RowProofView.as_view(), name="audit-row-proof"
    ),
    path("audit/consistency", proof_views.ConsistencyView.as_view(), name="audit-consistency"),
    path("audit/public-key", proof_views.PublicKeyView.as_view(), name="audit-public-key"),
]
