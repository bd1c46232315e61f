"""Proving again who one is, before a sensitive change. These endpoints take no Idempotency-Key."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.limits import SIGN_IN
from apps.core.api.serializers import NoBody
from apps.core.api.views import TenantView
from apps.tenants import services
from apps.tenants.api.authentication import origin_of, principal_of
from apps.tenants.api.factor_serializers import PasskeyAnswerSerializer, PasskeyOptionsSerializer
from apps.tenants.api.permissions import IsUser
from apps.tenants.api.serializers import ProofSerializer, ReauthenticateSerializer
from apps.users import services as users
from apps.users.enums import PasskeyPurpose


class ProofView(TenantView):
    """A view in which somebody who is signed in proves again who they are."""

    permission_classes = [IsUser]
    limited_by = (SIGN_IN,)
    open_while_enrolling = True

    @property
    def session_id(self) -> UUID:
        """The session that asks."""
        session_id = principal_of(self.request).session_id
        assert session_id is not None
        return session_id

    def proof(self, now: datetime) -> dict[str, Any]:
        """Return what a proof is told beside what proves it: in which session, who acts, from where, when."""
        return {
            "request": self.request._request,
            "session_id": self.session_id,
            "actor": self.actor,
            "origin": origin_of(self.request),
            "now": now,
        }


class ReauthenticateView(ProofView):
    """POST /auth/reauthenticate."""

    @extend_schema(
        operation_id="renew_proof",
        summary="Prove again who you are, before a sensitive change",
        description="What asks for it answers 403 `reauthentication_required`. Signing in counts as well.",
        tags=["Auth"],
        request=ReauthenticateSerializer,
        responses=ProofSerializer,
    )
    def post(self, request: Request) -> Response:
        body, now = self.parse(ReauthenticateSerializer), clock.now()
        services.reauthenticate(**body, **self.proof(now))
        return proved(now)


class ProofChallengeView(ProofView):
    """POST /auth/reauthenticate/challenge."""

    @extend_schema(
        operation_id="ask_for_proof",
        summary="Begin to prove with a passkey who you are",
        description="The challenge is good for five minutes, once, in this session.",
        tags=["Auth"],
        request=None,
        responses={201: PasskeyOptionsSerializer},
    )
    def post(self, request: Request) -> Response:
        self.parse(NoBody)
        ceremony = users.ask_for_passkey(
            purpose=PasskeyPurpose.PROVE, user_id=self.actor.user_id, session_id=self.session_id, now=clock.now()
        )
        return Response(PasskeyOptionsSerializer(ceremony).data, status=201)


class PasskeyProofView(ProofView):
    """POST /auth/reauthenticate/passkey."""

    @extend_schema(
        operation_id="renew_proof_with_passkey",
        summary="Prove with a passkey who you are, before a sensitive change",
        description="What asks for it answers 403 `reauthentication_required`. Signing in counts as well.",
        tags=["Auth"],
        request=PasskeyAnswerSerializer,
        responses=ProofSerializer,
    )
    def post(self, request: Request) -> Response:
        body, now = self.parse(PasskeyAnswerSerializer), clock.now()
        services.reauthenticate_with_passkey(**body, **self.proof(now))
        return proved(now)


def proved(now: datetime) -> Response:
    """Tell since when and until when the session is proved."""
    until = now + timedelta(seconds=settings.REAUTHENTICATION_SECONDS)
    return Response(ProofSerializer({"proved_at": now, "good_until": until}).data)
