"""Signing in, staying signed in, signing out. These endpoints take no Idempotency-Key."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.limits import SIGN_IN
from apps.core.api.pagination import page
from apps.core.api.views import ApiView, ListView, TenantView
from apps.core.errors import AuthenticationRequired
from apps.tenants import services
from apps.tenants.api.authentication import BearerAuthentication, origin_of, principal_of
from apps.tenants.api.permissions import IsUser
from apps.tenants.api.serializers import (
    RefreshRequestSerializer,
    RevokeRequestSerializer,
    SessionSerializer,
    TokenPairSerializer,
    TokenRequestSerializer,
)
from apps.users import services as users
from apps.users.selectors import live_sessions


class OpenView(ApiView):
    """A view for those who have no access token yet, or no good one any more."""

    authentication_classes = []
    permission_classes = [AllowAny]


class TokenView(OpenView):
    """POST /auth/token."""

    limited_by = (SIGN_IN,)

    @extend_schema(
        operation_id="sign_in",
        summary="Sign in to one tenant",
        tags=["Auth"],
        request=TokenRequestSerializer,
        responses=TokenPairSerializer,
    )
    def post(self, request: Request) -> Response:
        body = self.parse(TokenRequestSerializer)
        pair = services.sign_in(request=request._request, origin=origin_of(request), now=clock.now(), **body)
        return never_stored(Response(TokenPairSerializer(pair).data))


class TokenRefreshView(OpenView):
    """POST /auth/token/refresh."""

    @extend_schema(
        operation_id="refresh_tokens",
        summary="Exchange a refresh token for new tokens",
        tags=["Auth"],
        request=RefreshRequestSerializer,
        responses=TokenPairSerializer,
    )
    def post(self, request: Request) -> Response:
        body = self.parse(RefreshRequestSerializer)
        pair = services.refresh_tokens(origin=origin_of(request), now=clock.now(), **body)
        return never_stored(Response(TokenPairSerializer(pair).data))


class TokenRevokeView(OpenView):
    """POST /auth/token/revoke: an expired access token must not keep anybody from signing out."""

    @extend_schema(
        operation_id="revoke_tokens",
        summary="Sign out",
        tags=["Auth"],
        request=RevokeRequestSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        refresh, now = self.parse(RevokeRequestSerializer).get("refresh"), clock.now()
        if refresh:
            users.revoke_by_refresh_token(refresh=refresh, origin=origin_of(request), now=now)
            return Response(status=204)
        authenticated = BearerAuthentication().authenticate(request)
        session_id = authenticated[1].session_id if authenticated else None
        if authenticated is None or session_id is None:
            raise AuthenticationRequired
        users.revoke_session(session_id=session_id, actor=authenticated[1].actor, now=now)
        return Response(status=204)


class SessionListView(ListView):
    """GET, DELETE /auth/sessions."""

    permission_classes = [IsUser]
    serializer_class = SessionSerializer

    @extend_schema(operation_id="list_sessions", summary="Your live sessions in this tenant", tags=["Auth"])
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    @extend_schema(
        operation_id="revoke_other_sessions",
        summary="Sign out everywhere else, in your other tenants as well",
        tags=["Auth"],
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        assert self.actor.user_id is not None
        keep = principal_of(request).session_id
        users.end_other_sessions(
            user_id=self.actor.user_id, keep=keep, reason="signed_out", actor=self.actor, now=clock.now()
        )
        return Response(status=204)

    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        assert self.actor.user_id is not None
        # Sessions are global rows, which a tenant's scope cannot reach: the query itself names user and tenant.
        live = live_sessions(user_id=self.actor.user_id, tenant_id=self.tenant_id, now=clock.now())
        rows, next_cursor = page(live, ordering=("-id",), limit=limit, cursor=cursor)
        context = {"session_id": principal_of(self.request).session_id}
        return list(SessionSerializer(rows, many=True, context=context).data), next_cursor


class SessionView(TenantView):
    """DELETE /auth/sessions/{id}."""

    permission_classes = [IsUser]

    @extend_schema(operation_id="revoke_session", summary="Sign a session out", tags=["Auth"], responses={204: None})
    def delete(self, request: Request, session_id: UUID) -> Response:
        users.revoke_session(session_id=session_id, actor=self.actor, now=clock.now())
        return Response(status=204)


def never_stored(response: Response) -> Response:
    """Keep an answer with tokens out of every cache."""
    response["Cache-Control"] = "no-store"  # RFC 6749, 5.1
    return response
