"""Permissions of members for single accounts and connections."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors, services
from apps.accounts.models import ObjectGrant
from apps.core import clock
from apps.core.api.serializers import StrictSerializer
from apps.core.api.views import TenantListView, TenantView
from apps.core.permissions import ACCOUNT, CONNECTION, GRANTABLE, Permission
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.tenants.selectors import get_member

_TYPES = [ACCOUNT, CONNECTION]


class GrantRequestSerializer(StrictSerializer):
    """A permission for one object; a connection's is for its accounts, too."""

    permission = serializers.ChoiceField(sorted(GRANTABLE))
    object_type = serializers.ChoiceField(_TYPES)
    object_id = serializers.UUIDField()


class GrantSerializer(serializers.Serializer[Any]):
    """A permission that a member was granted for one object."""

    id = serializers.UUIDField()
    member_id = serializers.UUIDField()
    permission = serializers.ChoiceField(sorted(GRANTABLE))
    object_type = serializers.ChoiceField(_TYPES)
    object_id = serializers.UUIDField()
    granted_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class MemberGrantListView(TenantListView):
    """GET and POST /members/{id}/grants."""

    required_permissions = {"GET": Permission.MEMBERS_READ, "POST": Permission.MEMBERS_WRITE}
    sensitive = {"POST"}
    serializer_class = GrantSerializer

    @extend_schema(
        operation_id="list_member_grants",
        summary="What a member was granted for single objects, newest first",
        tags=["Tenant"],
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[ObjectGrant]:
        return selectors.grants_of(tenant_id=self.tenant_id, member_id=self.kwargs["member_id"])

    @extend_schema(
        operation_id="grant_member",
        summary="Grant a member a permission for one account or connection",
        description="It holds from the member's next request on: lists show these objects alone, and everything else "
        "is answered as if it did not exist. Nobody grants what they do not have for all of the tenant.",
        tags=["Tenant"],
        request=GrantRequestSerializer,
        responses={201: GrantSerializer},
    )
    def post(self, request: Request, member_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            get_member(member_id)
        return run_idempotently(self, self._grant)

    def _grant(self) -> Response:
        member_id = self.kwargs["member_id"]
        body = self.parse(GrantRequestSerializer)
        grant = services.grant_object(member_id=member_id, actor=self.actor, now=clock.now(), **body)
        return Response(GrantSerializer(grant).data, status=201)


class MemberGrantView(TenantView):
    """DELETE /members/{id}/grants/{id}."""

    required_permissions = {"DELETE": Permission.MEMBERS_WRITE}

    @extend_schema(
        operation_id="revoke_member_grant",
        summary="Take a permission for a single object back",
        tags=["Tenant"],
        responses={204: None},
    )
    def delete(self, request: Request, member_id: UUID, grant_id: UUID) -> Response:
        services.revoke_grant(member_id=member_id, grant_id=grant_id, actor=self.actor, now=clock.now())
        return Response(status=204)
