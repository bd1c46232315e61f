"""Accepting an invitation: whoever does belongs to no tenant before, so the token says where the answer is kept."""

import hashlib
from collections.abc import Callable
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.limits import SIGN_IN
from apps.core.errors import AuthenticationRequired, DomainError
from apps.core.scope import tenant_scope
from apps.idempotency.http import answer_of, fingerprint, read_key, replay
from apps.idempotency.services import find_kept, keep_answer, take_key
from apps.idempotency.types import Answer
from apps.tenants import selectors, services
from apps.tenants.api.auth_views import OpenView
from apps.tenants.api.authentication import BearerAuthentication, origin_of
from apps.tenants.api.serializers import InvitationAcceptSerializer, JoinedSerializer


class InvitationAcceptView(OpenView):
    """POST /invitations/accept."""

    limited_by = (SIGN_IN,)
    takes_key = True

    @extend_schema(
        operation_id="accept_invitation",
        summary="Accept an invitation",
        description="With `username` and `password` as a new user; without them as the user whose access token is "
        "sent. A token that is unknown, expired, revoked or used is answered the same, but for a request that is sent "
        "again with its `Idempotency-Key`: a refusal keeps none.",
        tags=["Tenant"],
        request=InvitationAcceptSerializer,
        responses={201: JoinedSerializer},
    )
    def post(self, request: Request) -> Response:
        key = read_key(request, required=False)
        said = fingerprint(request, "") if key else b""  # of the raw body, which parsing uses up
        body = self.parse(InvitationAcceptSerializer)
        by = services.NewUser(body["username"], body["password"]) if "username" in body else _signed_in(request)
        if key is None:
            return self._accept(body["token"], by)
        # With the token in it, nobody who is invited takes a key of the tenant's clients; and what the fingerprint says
        # of the password is nothing to try passwords on for who has the database, which holds no token.
        principal = by if isinstance(by, UUID) else ""
        name = hashlib.sha256(f"{body['token']}\n{principal}\n{key}".encode()).hexdigest()
        return self._accept_once(body["token"], by, name, said)

    def _accept(
        self, token: str, by: UUID | services.NewUser, keep: Callable[[services.Joined], None] | None = None
    ) -> Response:
        now, origin = clock.now(), origin_of(self.request)
        return _response(services.accept_invitation(token=token, by=by, origin=origin, now=now, keep=keep))

    def _accept_once(self, token: str, by: UUID | services.NewUser, name: str, said: bytes) -> Response:
        now = clock.now()

        def find() -> Answer | None:
            tenant_id = selectors.find_tenant_of_invitation(token)
            if tenant_id is None:
                return None
            with tenant_scope(tenant_id):
                return find_kept(key=name, fingerprint=said, now=now)

        def keep(joined: services.Joined) -> None:
            take_key(key=name, fingerprint=said, now=now)
            keep_answer(key=name, answer=answer_of(_response(joined)), secret=False, now=now)

        kept = find()
        if kept is not None:
            return replay(kept)
        try:
            return self._accept(token, by, keep)
        except DomainError:
            # The same request may have been at work beside this one, which then waited for it.
            kept = find()
            if kept is None:
                raise
            return replay(kept)


def _response(joined: services.Joined) -> Response:
    return Response(JoinedSerializer(joined).data, status=201)


def _signed_in(request: Request) -> UUID:
    authenticated = BearerAuthentication().authenticate(request)
    user_id = authenticated[1].actor.user_id if authenticated else None
    if user_id is None:
        raise AuthenticationRequired(_("Sign in as the user who accepts, or choose a username and a password."))
    return user_id
