"""A user's own second factors. Nobody else's business: an API key has none. No Idempotency-Key, as under /auth."""

from typing import Any
from uuid import UUID

import segno
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.serializers import NoBody
from apps.core.api.views import TenantView
from apps.core.errors import NotFound
from apps.tenants.api.factor_serializers import (
    ConfirmSerializer,
    EnrolledSerializer,
    FactorsSerializer,
    NewTotpSerializer,
    PasskeyOptionsSerializer,
    PasskeyRequestSerializer,
    RecoveryCodesSerializer,
    TotpRequestSerializer,
)
from apps.tenants.api.permissions import IsUser
from apps.tenants.types import Principal
from apps.users import selectors
from apps.users import services as users
from apps.users.enums import PasskeyPurpose


class FactorView(TenantView):
    """A view for the user's own factors."""

    permission_classes = [IsUser]
    sensitive = {"POST", "DELETE"}
    open_while_enrolling = True

    @property
    def user_id(self) -> UUID:
        """The user who asks."""
        assert self.actor.user_id is not None
        return self.actor.user_id

    @property
    def change(self) -> dict[str, Any]:
        """What every change of a factor is told: whose, which session stays, who acts, when."""
        return {"user_id": self.user_id, "keep": self.session_id, "actor": self.actor, "now": clock.now()}

    @property
    def session_id(self) -> UUID | None:
        """The session that asks."""
        assert isinstance(self.principal, Principal)
        return self.principal.session_id


class FactorListView(FactorView):
    """GET /auth/factors."""

    @extend_schema(
        operation_id="list_factors", summary="Your second factors", tags=["Auth"], responses=FactorsSerializer
    )
    def get(self, request: Request) -> Response:
        factors = selectors.factors_of(self.user_id)
        codes = selectors.find_recovery_codes(self.user_id)
        return Response(FactorsSerializer({"factors": factors, "recovery_codes": codes}).data)


class TotpView(FactorView):
    """POST /auth/factors/totp."""

    @extend_schema(
        operation_id="begin_totp",
        summary="Add an authenticator app; its secret is shown once",
        description="It opens nothing until you confirm it with its first code.",
        tags=["Auth"],
        request=TotpRequestSerializer,
        responses={201: NewTotpSerializer},
    )
    def post(self, request: Request) -> Response:
        body = self.parse(TotpRequestSerializer)
        device = users.begin_totp(user_id=self.user_id, name=body["name"], now=clock.now())
        picture = segno.make(device.config_url, error="m").svg_inline(scale=4, border=2)
        shown = {"id": device.id, "secret": device.secret, "otpauth_uri": device.config_url, "qr_svg": picture}
        return Response(NewTotpSerializer(shown).data, status=201)


class TotpConfirmView(FactorView):
    """POST /auth/factors/totp/{id}/confirm."""

    @extend_schema(
        operation_id="confirm_totp",
        summary="Confirm an authenticator app with a code",
        description="Your other sessions end. With your first factor come ten recovery codes, shown once.",
        tags=["Auth"],
        request=ConfirmSerializer,
        responses=EnrolledSerializer,
    )
    def post(self, request: Request, factor_id: UUID) -> Response:
        if selectors.find_waiting_authenticator(self.user_id, factor_id) is None:
            raise NotFound
        otp = self.parse(ConfirmSerializer)["otp"]
        enrolled = users.confirm_totp(factor_id=factor_id, otp=otp, **self.change)
        return enrolled_response(enrolled)


class PasskeyView(FactorView):
    """POST /auth/factors/passkeys."""

    @extend_schema(
        operation_id="begin_passkey",
        summary="Add a passkey: what the browser is to make it of",
        description="The challenge is good for five minutes, once, in this session.",
        tags=["Auth"],
        request=None,
        responses={201: PasskeyOptionsSerializer},
    )
    def post(self, request: Request) -> Response:
        self.parse(NoBody)
        ceremony = users.begin_passkey(user_id=self.user_id, session_id=self.session_id, now=clock.now())
        return Response(PasskeyOptionsSerializer(ceremony).data, status=201)


class PasskeyConfirmView(FactorView):
    """POST /auth/factors/passkeys/{id}/confirm."""

    @extend_schema(
        operation_id="confirm_passkey",
        summary="Confirm a passkey with what the browser made",
        description="Your other sessions end. With your first factor come ten recovery codes, shown once.",
        tags=["Auth"],
        request=PasskeyRequestSerializer,
        responses=EnrolledSerializer,
    )
    def post(self, request: Request, challenge_id: UUID) -> Response:
        asked: dict[str, Any] = {"user_id": self.user_id, "session_id": self.session_id, "now": clock.now()}
        if not selectors.open_challenges(PasskeyPurpose.REGISTER, **asked).filter(id=challenge_id).exists():
            raise NotFound
        body = self.parse(PasskeyRequestSerializer)
        enrolled = users.confirm_passkey(challenge_id=challenge_id, **body, **self.change)
        return enrolled_response(enrolled)


class FactorRemovalView(FactorView):
    """DELETE /auth/factors/{id}."""

    @extend_schema(
        operation_id="remove_factor",
        summary="Remove a second factor",
        description="Your other sessions end. Recovery codes go with the last factor.",
        tags=["Auth"],
        responses={204: None},
    )
    def delete(self, request: Request, factor_id: UUID) -> Response:
        users.remove_factor(factor_id=factor_id, **self.change)
        return Response(status=204)


class RecoveryCodesView(FactorView):
    """POST /auth/factors/recovery-codes."""

    @extend_schema(
        operation_id="renew_recovery_codes",
        summary="Ten new recovery codes, shown once",
        description="Earlier ones open nothing any more, and your other sessions end.",
        tags=["Auth"],
        request=None,
        responses={201: RecoveryCodesSerializer},
    )
    def post(self, request: Request) -> Response:
        self.parse(NoBody)
        codes = users.renew_recovery_codes(**self.change)
        return Response(RecoveryCodesSerializer({"recovery_codes": codes}).data, status=201)


def enrolled_response(enrolled: users.Enrolled) -> Response:
    """Tell of a new factor, and of the recovery codes that came with the first one."""
    return Response(EnrolledSerializer({"factor": enrolled.device, "recovery_codes": enrolled.recovery_codes}).data)
