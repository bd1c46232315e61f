"""Proving who somebody is: the password, then the second factor. Failures of both count towards the lockout."""

from axes.utils import reset as forget_failures
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django_otp import match_token, user_has_device

from apps.core.errors import DomainError
from apps.users.errors import InvalidCredentials, LockedOut, OtpRequired
from apps.users.models import User


def check_password(*, request: HttpRequest, username: str, password: str) -> User:
    """Return the active user with this user name and password.

    An unknown user name costs the same password hash and gets the same answer as a wrong password.

    Raises:
        InvalidCredentials, LockedOut: see the classes.
    """
    user = auth.authenticate(request=request, username=username, password=password)
    if user is None:
        raise _refusal(request)
    assert isinstance(user, User)
    return user


def check_second_factor(*, request: HttpRequest, user: User, otp: str) -> None:
    """Accept the current code of one of the user's devices, once; a user without a device needs none.

    Success forgets the failures counted so far.

    Raises:
        OtpRequired: the user has a device and no code came.
        InvalidCredentials, LockedOut: see the classes.
    """
    if user_has_device(user):
        if not otp:
            raise OtpRequired
        if match_token(user, otp) is None:
            # Whoever knows the password must not be able to try codes without end.
            user_login_failed.send(sender=__name__, credentials={"username": user.username}, request=request)
            raise _refusal(request)
    forget_failures(username=user.username, ip=request.META.get("REMOTE_ADDR"))


def _refusal(request: HttpRequest) -> DomainError:
    if getattr(request, "axes_locked_out", False):
        # Left set, it would make the middleware replace our problem document by a page of its own.
        request.axes_locked_out = False  # type: ignore[attr-defined]
        return LockedOut(retry_after=int(settings.AXES_COOLOFF_TIME * 3600))
    return InvalidCredentials()
