"""Proving who somebody is: the password, then the second factor. Failures of both count towards the lockout.

Each failure leaves a leaf until the lockout: a user name and an address cannot fill the log. A name that nobody has is
not kept: people type passwords into the wrong field.
"""

from datetime import datetime
from typing import NoReturn
from uuid import UUID

from django.contrib import auth
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django_otp import user_has_device

from apps.audit import services as audit
from apps.core.actor import Actor, ActorKind
from apps.core.errors import DomainError
from apps.core.scope import staff_scope, write_scope
from apps.users.errors import InvalidCredentials, OtpRequired
from apps.users.models import User
from apps.users.services.factors import spend_code
from apps.users.services.lockout import forget_failures, locked_out, met_lockout
from apps.users.types import Origin

SIGN_IN_REFUSED = "user.sign_in_refused"


def check_password(*, request: HttpRequest, username: str, password: str, origin: Origin, now: datetime) -> User:
    """Return the active user with this user name and password.

    An unknown user name costs the same password hash and gets the same answer as a wrong password.

    Raises:
        InvalidCredentials, LockedOut: see the classes.
    """
    user = auth.authenticate(request=request, username=username, password=password)
    if user is None:
        named = User.objects.filter(username=username).first()
        reason = "locked_out" if is_locked_out(request) else "credentials"
        actor = visitor("user", origin)
        record_refusal(SIGN_IN_REFUSED, request=request, user=named, reason=reason, actor=actor, now=now)
        raise _refusal(request)
    assert isinstance(user, User)
    return user


def check_second_factor(
    *, request: HttpRequest, user: User, otp: str, tenant_id: UUID | None, origin: Origin, now: datetime
) -> str:
    """Accept the current code of one of the user's devices or a recovery code, once; a user without one needs none.

    Return which it was: `totp`, `recovery_code`, or nothing.
    Success forgets the failures counted so far. A failure is told to the tenant that the user would enter, if any.

    Raises:
        OtpRequired: the user has a device and no code came.
        InvalidCredentials, LockedOut: see the classes.
    """
    device = None
    if user_has_device(user):
        if not otp:
            raise OtpRequired
        device = spend_code(user=user, code=otp, actor=_as(user, origin), now=now)
        if device is None:
            # Whoever knows the password must not be able to try codes without end.
            raise _failed(request, user, "code", visitor("user", origin, tenant_id=tenant_id), now)
    forget_failures(request=request, username=user.username)
    return str(device.kind) if device else ""


def refuse_stranger(*, request: HttpRequest, user: User, origin: Origin, now: datetime) -> NoReturn:
    """Refuse a user who belongs to no tenant as if the password were wrong: it must not be tried out here.

    Raises:
        InvalidCredentials, LockedOut: see the classes.
    """
    raise _failed(request, user, "no_membership", visitor("user", origin), now)


def _failed(request: HttpRequest, user: User, reason: str, actor: Actor, now: datetime) -> DomainError:
    """Count and record a failure after the right password; return the refusal."""
    user_login_failed.send(sender=__name__, credentials={"username": user.username}, request=request)
    reason = "locked_out" if is_locked_out(request) else reason
    record_refusal(SIGN_IN_REFUSED, request=request, user=user, reason=reason, actor=actor, now=now)
    return _refusal(request)


def visitor(kind: ActorKind, origin: Origin, *, tenant_id: UUID | None = None) -> Actor:
    """Return whoever tries to sign in, as an actor without an identity."""
    return Actor(kind=kind, label="anonymous", tenant_id=tenant_id, request_id=origin.request_id, ip=origin.ip)


def _as(user: User, origin: Origin) -> Actor:
    return Actor(kind="user", label=user.username, user_id=user.id, request_id=origin.request_id, ip=origin.ip)


def is_locked_out(request: HttpRequest) -> bool:
    """Tell whether the sign-in that was just refused met, or caused, a lockout."""
    return bool(getattr(request, "axes_locked_out", False))


def record_refusal(
    action: str, *, request: HttpRequest, user: User | None, reason: str, actor: Actor, now: datetime
) -> None:
    """Leave the leaf of a refused sign-in in the actor's log, unless the lockout stood before.

    Whoever is locked out may go on trying: only the failures up to the one that locked are recorded.
    """
    if met_lockout(request):
        return
    scope = staff_scope() if actor.tenant_id is None else write_scope(actor, even_if_read_only=True)
    with scope:
        target = user.pk if user else "unknown"
        changes = {"reason": [None, reason]}
        audit.record(action=action, actor=actor, target_type="user", target_id=target, now=now, changes=changes)


def _refusal(request: HttpRequest) -> DomainError:
    if is_locked_out(request):
        # Left set, it would make the middleware replace our problem document by a page of its own.
        request.axes_locked_out = False  # type: ignore[attr-defined]
        return locked_out(request)
    return InvalidCredentials()
