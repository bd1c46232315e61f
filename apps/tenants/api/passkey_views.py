"""Signing in with a passkey. These endpoints take no Idempotency-Key."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.limits import SIGN_IN
from apps.core.api.serializers import NoBody
from apps.tenants import services
from apps.tenants.api.auth_views import OpenView, never_stored
from apps.tenants.api.authentication import origin_of
from apps.tenants.api.factor_serializers import (
    PasskeyOptionsSerializer,
    PasskeySignInSerializer,
)
from apps.tenants.api.serializers import TokenPairSerializer
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
