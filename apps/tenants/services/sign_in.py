"""Signing in to one tenant, and staying signed in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from apps.core.actor import Actor
from apps.tenants import selectors
from apps.tenants.errors import NotAMember, TenantRequired, TenantSuspended
from apps.tenants.types import MembershipChoice, TokenPair
from apps.users import services as users
from apps.users.enums import PasskeyPurpose
from apps.users.errors import InvalidCredentials, InvalidRefreshToken
from apps.users.models import User
from apps.users.tokens import sign_access_token
from apps.users.types import Origin


def sign_in(
    *,
    request: HttpRequest,
    username: str,
    password: str,
    otp: str,
    tenant: str,
    origin: Origin,
    now: datetime,
) -> TokenPair:
    """Return tokens bound to one tenant of the user; `tenant` is a slug or an id, empty for the only one.

    The one-time code is spent last, so that a request that lacks something else can be repeated with it.

    Raises:
        InvalidCredentials, LockedOut, OtpRequired: from the users room.
        TenantRequired, NotAMember, TenantSuspended: see the classes.
    """
    with users.one_attempt_at_a_time(username):
        user = users.check_password(request=request, username=username, password=password, origin=origin, now=now)
        memberships = selectors.memberships_of(user.id)
        if not memberships:
            users.refuse_stranger(request=request, user=user, origin=origin, now=now)
        membership = _choose(memberships, tenant)
        tenant_id = membership.tenant_id
        factor = users.check_second_factor(
            request=request, user=user, otp=otp, tenant_id=tenant_id, origin=origin, now=now
        )
        # Within the name's turn: a change of the password or of a factor ends this session, too, or comes first.
        opened = users.start_session(user=user, tenant_id=tenant_id, origin=origin, now=now, factor=factor)
    return _pair(opened, now)


def reauthenticate(
    *, request: HttpRequest, session_id: UUID, password: str, otp: str, actor: Actor, origin: Origin, now: datetime
) -> None:
    """Have the user of a session prove again who they are; failures count as they do when signing in.

    Raises:
        InvalidCredentials, LockedOut, OtpRequired: from the users room.
    """
    assert actor.user_id is not None
    assert actor.tenant_id is not None
    username = User.objects.values_list("username", flat=True).get(pk=actor.user_id)
    with users.one_attempt_at_a_time(username):
        user = users.check_password(request=request, username=username, password=password, origin=origin, now=now)
        users.check_second_factor(
            request=request, user=user, otp=otp, tenant_id=actor.tenant_id, origin=origin, now=now
        )
    users.renew_proof(session_id=session_id, actor=actor, now=now)


def sign_in_with_passkey(
    *,
    request: HttpRequest,
    challenge_id: UUID,
    credential: dict[str, Any],
    tenant: str,
    origin: Origin,
    now: datetime,
) -> TokenPair:
    """Return tokens as `sign_in` does, to whoever answers a challenge with a passkey.

    The challenge is spent first: a request that lacks something else begins with another one.

    Raises:
        InvalidCredentials, LockedOut, PasskeysOff: from the users room.
        TenantRequired, NotAMember, TenantSuspended: see the classes.
    """
    answer: dict[str, Any] = {"challenge_id": challenge_id, "credential": credential, "purpose": PasskeyPurpose.SIGN_IN}
    with users.checked_passkey(request=request, **answer, origin=origin, now=now) as passkey:
        memberships = selectors.memberships_of(passkey.user_id)
        if not memberships:
            raise InvalidCredentials
        tenant_id = _choose(memberships, tenant).tenant_id
        user, factor = passkey.user, passkey.kind
        opened = users.start_session(user=user, tenant_id=tenant_id, origin=origin, now=now, factor=factor)
    return _pair(opened, now)


def reauthenticate_with_passkey(
    *,
    request: HttpRequest,
    session_id: UUID,
    challenge_id: UUID,
    credential: dict[str, Any],
    actor: Actor,
    origin: Origin,
    now: datetime,
) -> None:
    """Have the user of a session prove again who they are, with a passkey.

    Raises:
        InvalidCredentials, LockedOut, PasskeysOff: from the users room.
    """
    assert actor.user_id is not None
    with users.checked_passkey(
        request=request,
        challenge_id=challenge_id,
        credential=credential,
        purpose=PasskeyPurpose.PROVE,
        user_id=actor.user_id,
        session_id=session_id,
        origin=origin,
        now=now,
    ):
        users.renew_proof(session_id=session_id, actor=actor, now=now)


def refresh_tokens(*, refresh: str, origin: Origin, now: datetime) -> TokenPair:
    """Exchange a refresh token for new tokens.

    Raises:
        InvalidRefreshToken: also when the user or the membership is gone.
        TenantSuspended: the token stays good for when the tenant is active again.
    """
    with transaction.atomic():
        opened = users.refresh_session(refresh=refresh, origin=origin, now=now)
        if opened is not None:
            _require_usable(opened.session.user_id, opened.session.tenant_id)
            return _pair(opened, now)
    # Outside of the transaction: the revocation that a reused token caused must be committed.
    raise InvalidRefreshToken


def _require_usable(user_id: UUID, tenant_id: UUID) -> None:
    for membership in selectors.memberships_of(user_id):
        if membership.tenant_id == tenant_id:
            return _require_active(membership)
    raise InvalidRefreshToken


def _choose(memberships: list[MembershipChoice], named: str) -> MembershipChoice:
    if named:
        memberships = [found for found in memberships if named in (found.slug, str(found.tenant_id))]
    if not memberships:
        raise NotAMember
    if len(memberships) > 1:
        raise TenantRequired
    _require_active(memberships[0])
    return memberships[0]


def _require_active(membership: MembershipChoice) -> None:
    if membership.is_suspended:
        raise TenantSuspended


def _pair(opened: users.OpenSession, now: datetime) -> TokenPair:
    access = sign_access_token(opened.session, now=now)
    return TokenPair(access, opened.refresh, settings.ACCESS_TOKEN_SECONDS)
