"""The transaction list in plain Django REST framework: a ModelSerializer, the ORM, DRF's cursor pages and renderer.

Authentication, permission and row-level security are the platform's, as in our own view.
"""

from typing import Any

from django.db.models import QuerySet
from rest_framework import generics, pagination, renderers, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Transaction
from apps.core.api.permissions import Permission
from apps.core.scope import tenant_scope
from apps.tenants.types import Principal


class TransactionSerializer(serializers.ModelSerializer[Transaction]):
    """The fields that our answer has."""

    category = serializers.CharField()

    class Meta:
        model = Transaction
        fields = [
            "id",
            "account_id",
            "external_id",
            "amount",
            "currency",
            "date",
            "description",
            "counterparty",
            "category",
            "note",
            "status",
            "replaces_id",
            "version",
            "created_at",
            "updated_at",
        ]


class Pages(pagination.CursorPagination):
    """Newest first."""

    ordering = ("-date", "-id")
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200


class TransactionList(generics.ListAPIView[Transaction]):
    """List the tenant's transactions that were not removed."""

    required_permissions = {"GET": Permission.TRANSACTIONS_READ}
    serializer_class = TransactionSerializer
    pagination_class = Pages
    renderer_classes = [renderers.JSONRenderer]

    def get_queryset(self) -> QuerySet[Transaction]:
        """Return the tenant's rows."""
        return Transaction.objects.exclude(status="removed")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer inside the tenant's scope."""
        assert isinstance(request.auth, Principal)
        with tenant_scope(request.auth.tenant.id):
            return super().list(request, *args, **kwargs)
