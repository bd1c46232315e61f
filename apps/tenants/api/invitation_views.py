"""Inviting people."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.serializers import NoBody
from apps.core.api.views import IF_MATCH, TenantListView, TenantView, etag
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.tenants import selectors, services
from apps.tenants.api.serializers import (
    InvitationRequestSerializer,
    InvitationSerializer,
)
from apps.tenants.models import Invitation


class InvitationListView(TenantListView):
    """GET and POST /invitations."""

    required_permissions = {"GET": Permission.MEMBERS_READ, "POST": Permission.MEMBERS_WRITE}
    sensitive = {"POST"}
    serializer_class = InvitationSerializer

    @extend_schema(operation_id="list_invitations", summary="Invitations, newest first", tags=["Tenant"])
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Invitation]:
        return selectors.invitations()

    @extend_schema(
        operation_id="create_invitation",
        summary="Invite somebody by e-mail",
        description="The letter holds a token that works once, for seven days.",
        tags=["Tenant"],
        request=InvitationRequestSerializer,
        responses={201: InvitationSerializer},
    )
    def post(self, request: Request) -> Response:
        return run_idempotently(self, self._invite)

    def _invite(self) -> Response:
        body = self.parse(InvitationRequestSerializer)
        invitation = services.invite(email=body["email"], role=body["role"], actor=self.actor, now=clock.now())
        return invitation_response(invitation, status=201)


class InvitationView(TenantView):
    """GET and DELETE /invitations/{id}."""

    required_permissions = {"GET": Permission.MEMBERS_READ, "DELETE": Permission.MEMBERS_WRITE}

    @extend_schema(
        operation_id="get_invitation", summary="An invitation", tags=["Tenant"], responses=InvitationSerializer
    )
    def get(self, request: Request, invitation_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            invitation = selectors.get_invitation(invitation_id)
        return invitation_response(invitation)

    @extend_schema(
        operation_id="revoke_invitation",
        summary="Revoke an invitation",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        services.revoke_invitation(
            invitation_id=invitation_id, expected_version=self.expected_version(), actor=self.actor, now=clock.now()
        )
        return Response(status=204)


class InvitationResendView(TenantView):
    """POST /invitations/{id}/resend."""

    required_permissions = {"POST": Permission.MEMBERS_WRITE}

    @extend_schema(
        operation_id="resend_invitation",
        summary="Send an invitation again, with a new token and seven days more",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        request=None,
        responses=InvitationSerializer,
    )
    def post(self, request: Request, invitation_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            selectors.get_invitation(invitation_id)
        return run_idempotently(self, lambda: self._resend(invitation_id))

    def _resend(self, invitation_id: UUID) -> Response:
        self.parse(NoBody)
        version = self.expected_version()
        return invitation_response(
            services.resend_invitation(
                invitation_id=invitation_id, expected_version=version, actor=self.actor, now=clock.now()
            )
        )


def invitation_response(invitation: Invitation, *, status: int = 200) -> Response:
    """Return an invitation with its version as ETag."""
    headers = {"ETag": etag(invitation.version)}
    return Response(InvitationSerializer(invitation).data, status=status, headers=headers)
