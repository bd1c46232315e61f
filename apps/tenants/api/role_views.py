"""Permissions, and the roles that give them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.pagination import decode_cursor, encode_cursor
from apps.core.api.views import ListView
from apps.core.permissions import REGISTRY, Permission
from apps.tenants.api.permissions import IsAuthenticated
from apps.tenants.api.role_serializers import PermissionSerializer
from apps.tenants.roles import roles_with


class PermissionListView(ListView):
    """GET /permissions."""

    permission_classes = [IsAuthenticated]
    serializer_class = PermissionSerializer

    @extend_schema(
        operation_id="list_permissions",
        summary="Permissions by name, and the built-in roles that give each",
        tags=["Tenant"],
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        after = decode_cursor(cursor, [str])[0] if cursor else ""
        found = sorted(name for name in Permission if name > after)
        next_cursor = encode_cursor([found[limit - 1]]) if len(found) > limit else None
        return self.serialize([_described(name) for name in found[:limit]]), next_cursor


def _described(name: Permission) -> dict[str, Any]:
    entry = REGISTRY[name]
    return {
        "name": name,
        "area": entry.area,
        "description": entry.description,
        "conditions": entry.conditions,
        "roles": roles_with(name),
    }
