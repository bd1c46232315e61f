"""Permissions, and the roles that give them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.pagination import decode_cursor, encode_cursor
from apps.core.api.views import IF_MATCH, ListView, TenantListView, TenantView, etag
from apps.core.permissions import GRANTABLE, REGISTRY, Permission
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.tenants import selectors, services
from apps.tenants.api.permissions import IsAuthenticated
from apps.tenants.api.role_serializers import (
    PermissionSerializer,
    RoleChangeSerializer,
    RoleRequestSerializer,
    RoleSerializer,
)
from apps.tenants.models import TenantRole
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
        "grantable_for": GRANTABLE.get(name, ()),
        "roles": roles_with(name),
    }


class RoleListView(TenantListView):
    """GET and POST /roles."""

    required_permissions = {"GET": Permission.MEMBERS_READ, "POST": Permission.MEMBERS_WRITE}
    sensitive = {"POST"}
    serializer_class = RoleSerializer

    @extend_schema(operation_id="list_roles", summary="The tenant's own roles, newest first", tags=["Tenant"])
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[TenantRole]:
        return selectors.tenant_roles()

    @extend_schema(
        operation_id="create_role",
        summary="Define a role",
        description="It can do no more than you. `GET /permissions` tells which conditions a permission may have.",
        tags=["Tenant"],
        request=RoleRequestSerializer,
        responses={201: RoleSerializer},
    )
    def post(self, request: Request) -> Response:
        return run_idempotently(self, self._create)

    def _create(self) -> Response:
        body = self.parse(RoleRequestSerializer)
        return _role_response(services.create_tenant_role(actor=self.actor, now=clock.now(), **body).id, status=201)


class RoleView(TenantView):
    """GET, PATCH and DELETE /roles/{id}."""

    required_permissions = {
        "GET": Permission.MEMBERS_READ,
        "PATCH": Permission.MEMBERS_WRITE,
        "DELETE": Permission.MEMBERS_WRITE,
    }
    sensitive = {"PATCH", "DELETE"}

    @extend_schema(
        operation_id="get_role", summary="A role of the tenant's own", tags=["Tenant"], responses=RoleSerializer
    )
    def get(self, request: Request, role_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            return _role_response(role_id)

    @extend_schema(
        operation_id="change_role",
        summary="Change what a role gives, which holds from its members' next request on",
        description="Not your own role, and nothing that you do not have yourself.",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        request=RoleChangeSerializer,
        responses=RoleSerializer,
    )
    def patch(self, request: Request, role_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            selectors.get_tenant_role(role_id)
        body, version = self.parse(RoleChangeSerializer), self.expected_version()
        services.change_tenant_role(
            role_id=role_id, expected_version=version, actor=self.actor, now=clock.now(), **body
        )
        with tenant_scope(self.tenant_id):
            return _role_response(role_id)

    @extend_schema(
        operation_id="delete_role",
        summary="Delete a role that nobody has",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, role_id: UUID) -> Response:
        version = self.expected_version()
        services.delete_tenant_role(role_id=role_id, expected_version=version, actor=self.actor, now=clock.now())
        return Response(status=204)


def _role_response(role_id: UUID, *, status: int = 200) -> Response:
    """Return a role with its version as ETag; the open scope sees it."""
    role = selectors.get_tenant_role(role_id)
    return Response(RoleSerializer(role).data, status=status, headers={"ETag": etag(role.version)})
