"""Changing one's password, and getting a new one. These endpoints take no Idempotency-Key."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.limits import SIGN_IN
from apps.core.api.views import TenantView
from apps.tenants import services
from apps.tenants.api.auth_views import OpenView
from apps.tenants.api.authentication import origin_of, principal_of
from apps.tenants.api.password_serializers import (
    PasswordChangeSerializer,
    PasswordResetConfirmSerializer,
    PasswordResetRequestSerializer,
)
from apps.tenants.api.permissions import IsUser
from apps.users import services as users


class PasswordView(TenantView):
    """POST /auth/password."""

    permission_classes = [IsUser]
    limited_by = (SIGN_IN,)

    @extend_schema(
        operation_id="change_password",
        summary="Change your password; your other sessions end",
        tags=["Auth"],
        request=PasswordChangeSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        body = self.parse(PasswordChangeSerializer)
        keep = principal_of(request).session_id
        users.change_password(request=request._request, keep=keep, actor=self.actor, now=clock.now(), **body)
        return Response(status=204)


class PasswordResetView(OpenView):
    """POST /auth/password/reset: the same answer, whoever is named."""

    limited_by = (SIGN_IN,)

    @extend_schema(
        operation_id="ask_for_password_reset",
        summary="Have a letter sent with which a new password can be chosen",
        tags=["Auth"],
        request=PasswordResetRequestSerializer,
        responses={202: None},
    )
    def post(self, request: Request) -> Response:
        (login,) = self.parse(PasswordResetRequestSerializer).values()
        users.ask_for_reset(login=login, origin=origin_of(request), now=clock.now())
        return Response(status=202)


class PasswordResetConfirmView(OpenView):
    """POST /auth/password/reset/confirm."""

    limited_by = (SIGN_IN,)

    @extend_schema(
        operation_id="confirm_password_reset",
        summary="Choose a new password with a letter's token; all your sessions end",
        tags=["Auth"],
        request=PasswordResetConfirmSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        body = self.parse(PasswordResetConfirmSerializer)
        services.confirm_password_reset(request=request._request, origin=origin_of(request), now=clock.now(), **body)
        return Response(status=204)
