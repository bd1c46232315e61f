"""The tenant's audit log."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit import selectors
from apps.audit.api.serializers import AuditEntryQuery, AuditEntrySerializer
from apps.audit.models import AuditEntry
from apps.core.api.permissions import Permission
from apps.core.api.views import TenantListView


class AuditEntryListView(TenantListView):
    """The log, newest first."""

    required_permissions = {"GET": Permission.AUDIT_READ}
    query_serializer = AuditEntryQuery
    serializer_class = AuditEntrySerializer
    ordering = ("-at", "-id")

    @extend_schema(
        operation_id="list_audit_entries",
        tags=["Audit"],
        summary="List audit entries",
        description=(
            "Newest first. An entry is listed from the moment its change is committed; its `sequence`, its place in "
            "the tenant's log, is null until the sequencer has numbered it, a moment later. To check a `leaf_hash`, "
            "drop `sequence` and `leaf_hash`, take the RFC 8785 bytes of the rest, put a zero byte in front and hash "
            "them with SHA-256."
        ),
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[AuditEntry]:
        query = self.query
        return selectors.entries_for(
            tenant_id=self.tenant_id,
            action=query.get("action"),
            actor_id=query.get("actor"),
            target_type=query.get("target_type"),
            target_id=query.get("target_id"),
            since=query.get("since"),
            until=query.get("until"),
        )
