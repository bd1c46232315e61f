"""The tenant's members."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import HasRequiredPermission, Permission
from apps.core.api.views import IF_MATCH, TenantListView, TenantView, etag
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.tenants import selectors, services
from apps.tenants.api.permissions import UsersPost
from apps.tenants.api.serializers import MemberChangeSerializer, MemberRequestSerializer, MemberSerializer
from apps.tenants.models import Membership


class MemberListView(TenantListView):
    """GET and POST /members."""

    required_permissions = {"GET": Permission.MEMBERS_READ, "POST": Permission.MEMBERS_WRITE}
    permission_classes = [HasRequiredPermission, UsersPost]
    sensitive = {"POST"}
    serializer_class = MemberSerializer

    @extend_schema(operation_id="list_members", summary="Members, newest first", tags=["Tenant"])
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Membership]:
        return selectors.members()

    @extend_schema(
        operation_id="add_member",
        summary="Make a colleague from another tenant of yours a member",
        description="Works for those whose membership of another tenant you may change, too; invite everybody else. "
        "An API key, which knows no other tenant, adds nobody.",
        tags=["Tenant"],
        request=MemberRequestSerializer,
        responses={201: MemberSerializer},
    )
    def post(self, request: Request) -> Response:
        return run_idempotently(self, self._add)

    def _add(self) -> Response:
        body = self.parse(MemberRequestSerializer)
        return member_response(services.add_colleague(actor=self.actor, now=clock.now(), **body), status=201)


class MemberView(TenantView):
    """GET, PATCH and DELETE /members/{id}."""

    required_permissions = {
        "GET": Permission.MEMBERS_READ,
        "PATCH": Permission.MEMBERS_WRITE,
        "DELETE": Permission.MEMBERS_WRITE,
    }
    sensitive = {"PATCH", "DELETE"}

    @extend_schema(operation_id="get_member", summary="A member", tags=["Tenant"], responses=MemberSerializer)
    def get(self, request: Request, member_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            member = selectors.get_member(member_id)
        return member_response(member)

    @extend_schema(
        operation_id="change_member",
        summary="Give a member another role",
        description="Not your own, and none that can do more than you. Only an owner makes or unmakes an owner.",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        request=MemberChangeSerializer,
        responses=MemberSerializer,
    )
    def patch(self, request: Request, member_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            selectors.get_member(member_id)
        body, version = self.parse(MemberChangeSerializer), self.expected_version()
        return member_response(
            services.change_role(
                member_id=member_id, expected_version=version, actor=self.actor, now=clock.now(), **body
            )
        )

    @extend_schema(
        operation_id="remove_member",
        summary="Remove a member, whose sessions end at once",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, member_id: UUID) -> Response:
        version = self.expected_version()
        services.remove_member(member_id=member_id, expected_version=version, actor=self.actor, now=clock.now())
        return Response(status=204)


def member_response(member: Membership, *, status: int = 200) -> Response:
    """Return a member with its version as ETag."""
    return Response(MemberSerializer(member).data, status=status, headers={"ETag": etag(member.version)})
