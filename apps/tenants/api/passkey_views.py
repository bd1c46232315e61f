"""Signing in with a passkey, and proving again who one is. These endpoints take no Idempotency-Key."""

from datetime import timedelta

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.limits import SIGN_IN
from apps.core.api.serializers import NoBody
from apps.core.api.views import TenantView
from apps.tenants import services
from apps.tenants.api.auth_views import OpenView, never_stored
from apps.tenants.api.authentication import origin_of, principal_of
from apps.tenants.api.factor_serializers import (
    PasskeyAnswerSerializer,
    PasskeyOptionsSerializer,
    PasskeySignInSerializer,
)
from apps.tenants.api.permissions import IsUser
from apps.tenants.api.serializers import ProofSerializer, TokenPairSerializer
from apps.users import services as users
from apps.users.enums import PasskeyPurpose


class PasskeyChallengeView(OpenView):
    """POST /auth/passkeys/challenge."""

    limited_by = (SIGN_IN,)

    @extend_schema(
        operation_id="ask_for_passkey",
        summary="Begin to sign in with a passkey",
        description="The challenge is good for five minutes, once. It is the same for everybody: it names no user.",
        tags=["Auth"],
        request=None,
        responses={201: PasskeyOptionsSerializer},
    )
    def post(self, request: Request) -> Response:
        self.parse(NoBody)
        ceremony = users.ask_for_passkey(purpose=PasskeyPurpose.SIGN_IN, now=clock.now())
        return never_stored(Response(PasskeyOptionsSerializer(ceremony).data, status=201))


class PasskeyTokenView(OpenView):
    """POST /auth/token/passkey."""

    limited_by = (SIGN_IN,)

    @extend_schema(
        operation_id="sign_in_with_passkey",
        summary="Sign in to one tenant with a passkey, which stands for password and code",
        tags=["Auth"],
        request=PasskeySignInSerializer,
        responses=TokenPairSerializer,
    )
    def post(self, request: Request) -> Response:
        body = self.parse(PasskeySignInSerializer)
        pair = services.sign_in_with_passkey(
            request=request._request, origin=origin_of(request), now=clock.now(), **body
        )
        return never_stored(Response(TokenPairSerializer(pair).data))


class ProofView(TenantView):
    """A view in which somebody who is signed in proves again who they are."""

    permission_classes = [IsUser]
    limited_by = (SIGN_IN,)
    open_while_enrolling = True


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
            purpose=PasskeyPurpose.PROVE,
            user_id=self.actor.user_id,
            session_id=principal_of(request).session_id,
            now=clock.now(),
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
        session_id = principal_of(request).session_id
        assert session_id is not None
        services.reauthenticate_with_passkey(
            request=request._request,
            session_id=session_id,
            actor=self.actor,
            origin=origin_of(request),
            now=now,
            **body,
        )
        until = now + timedelta(seconds=settings.REAUTHENTICATION_SECONDS)
        return Response(ProofSerializer({"proved_at": now, "good_until": until}).data)
