"""Changing a password: by whoever knows the old one, who reads the user's letters, or who operates the installation.

All end the user's other sessions, and void letters sent before. A change keeps the session that it comes from.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django_otp import user_has_device

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.scope import staff_scope
from apps.users.errors import InvalidPasswordReset
from apps.users.models import PasswordReset, User
from apps.users.selectors import find_password_reset
from apps.users.services.attempts import one_attempt_at_a_time, take_turn
from apps.users.services.identity import require_good_password
from apps.users.services.lockout import forget_failures, require_not_locked_out
from apps.users.services.sessions import end_other_sessions
from apps.users.services.sign_in import check_password, check_second_factor
from apps.users.types import Origin


def change_password(
    *,
    request: HttpRequest,
    current_password: str,
    new_password: str,
    otp: str | None,
    keep: UUID | None,
    actor: Actor,
    now: datetime,
) -> User:
    """Change the acting user's password; wrong ones count towards the lockout. Every session but `keep` ends.

    `otp` is a code of the second factor, which a user with one has to give; None where the session vouches for it.

    Raises:
        PasswordTooWeak, InvalidCredentials, OtpRequired, LockedOut: see the classes.
    """
    assert actor.user_id is not None
    user = User.objects.get(id=actor.user_id)
    origin = Origin(request_id=actor.request_id, ip=actor.ip)
    require_good_password(new_password, user)
    with one_attempt_at_a_time(user.username):
        check_password(request=request, username=user.username, password=current_password, origin=origin, now=now)
        if otp is None:
            forget_failures(request=request, username=user.username)
        else:
            assert actor.tenant_id is not None
            check_second_factor(request=request, user=user, otp=otp, tenant_id=actor.tenant_id, origin=origin, now=now)
        _set(user, new_password, "password_changed", keep=keep, actor=actor, now=now)
    return user


def reset_password(
    *, request: HttpRequest, token: str, password: str, otp: str, tenant_id: UUID, origin: Origin, now: datetime
) -> None:
    """Set the password of whoever a letter's token was sent to; all of their sessions end.

    The token stands for the old password alone: a user with a second factor has to present it. Wrong codes count
    towards the lockout, and are told to the tenant. A refusal does not use the token up.

    Raises:
        InvalidPasswordReset, PasswordTooWeak, InvalidCredentials, OtpRequired, LockedOut: see the classes.
    """
    user = get_user_of_reset(token, now=now)
    require_good_password(password, user)
    with one_attempt_at_a_time(user.username):
        if user_has_device(user):
            require_not_locked_out(request=request, username=user.username)
        reset = find_password_reset(token, now=now)
        if reset is None:
            raise InvalidPasswordReset  # another request was faster
        check_second_factor(request=request, user=user, otp=otp, tenant_id=tenant_id, origin=origin, now=now)
        actor = Actor(kind="user", label=user.username, user_id=user.id, request_id=origin.request_id, ip=origin.ip)
        _set(user, password, "password_reset", keep=None, actor=actor, now=now)


def set_password(*, user: User, password: str, actor: Actor, now: datetime) -> int:
    """Set a user's password on an operator's word; return how many of their sessions ended: all. Factors stay.

    Called outside of transactions. Raises:
        PasswordTooWeak: see the class.
    """
    require_good_password(password, user)
    with transaction.atomic():
        take_turn(user.username)
        return _set(user, password, "password_set", keep=None, actor=actor, now=now)


def get_user_of_reset(token: str, *, now: datetime) -> User:
    """Return the active user whom a token was sent to.

    Raises:
        InvalidPasswordReset: whatever is wrong with the token.
    """
    reset = find_password_reset(token, now=now)
    if reset is None or reset.user_id is None:
        raise InvalidPasswordReset
    user = User.objects.filter(id=reset.user_id, is_active=True, is_staff=False).first()
    if user is None:
        raise InvalidPasswordReset
    return user


def _set(user: User, password: str, what: str, *, keep: UUID | None, actor: Actor, now: datetime) -> int:
    user.set_password(password)
    user.save(update_fields=["password"])
    PasswordReset.objects.filter(user_id=user.id).delete()
    with staff_scope():
        by = replace(actor, tenant_id=None)
        audit.record(action=f"user.{what}", actor=by, target_type="user", target_id=user.id, now=now)
    return end_other_sessions(user_id=user.id, keep=keep, reason=what, actor=actor, now=now)
