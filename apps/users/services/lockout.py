"""Lockouts: five failures lock a name from an address, or a network of IPv6, each time for longer.

django-axes counts the failures. Here stands how long a lockout lasts: a quarter of an hour, and twice as long as the
one before when that ended less than a day ago. What is tried meanwhile is not looked at and changes nothing.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username, get_cool_off
from axes.models import AccessAttempt
from axes.utils import reset
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from apps.core.addresses import place_of
from apps.users.errors import LockedOut
from apps.users.models import Lockout

FIRST, LONGEST = timedelta(minutes=15), timedelta(hours=24)
REMEMBERED = timedelta(hours=24)
_MOST_DOUBLINGS = 16  # a day is reached long before, and timedelta overflows long after


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]  # django-axes has no types
    """django-axes with lockouts that escalate (AXES_HANDLER)."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Tell whether the name is locked from the request's address."""
        now = request.axes_attempt_time  # type: ignore[attr-defined]  # django-axes puts its own on the request
        lockout = _lockouts_of(request, credentials).filter(locked_until__gt=now).first()
        if lockout is not None:
            _note(request, lockout, met=True)
        return lockout is not None

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        """Count a failure; the one that reaches the limit locks."""
        super().user_login_failed(sender, credentials, request, **kwargs)
        if request is not None and request.axes_locked_out and not met_lockout(request):  # type: ignore[attr-defined]
            _note(request, _lock(request, credentials), met=False)

    def clean_expired_user_attempts(
        self, request: HttpRequest | None = None, credentials: dict[str, Any] | None = None
    ) -> int:
        """Forget failures that are too old to count, but not while they show staff why a name is locked."""
        now = request.axes_attempt_time  # type: ignore[union-attr]
        same = Lockout.objects.filter(username=OuterRef("username"), ip=OuterRef("ip_address"), locked_until__gt=now)
        old = AccessAttempt.objects.filter(attempt_time__lte=now - get_cool_off(request))
        count: int = old.exclude(Exists(same)).delete()[0]
        return count

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """Forget failures and lockouts of a name, from an address or from all."""
        named = {"username": username, "ip": ip_address}
        Lockout.objects.filter(**{field: value for field, value in named.items() if value}).delete()
        count: int = super().reset_attempts(ip_address=ip_address, username=username, ip_or_username=ip_or_username)
        return count

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Forget failures and lockouts of whoever has just signed in."""
        _lockouts_of(request, credentials).delete()
        count: int = super().reset_user_attempts(request, credentials)
        return count


def place_of_request(request: HttpRequest) -> str | None:
    """Return where a request's attempts are counted (AXES_CLIENT_IP_CALLABLE): its address, or its network of IPv6."""
    return place_of(request.META.get("REMOTE_ADDR") or "") or None


def forget_failures(*, request: HttpRequest, username: str) -> None:
    """Forget failures and lockouts of a name where the request comes from: it was the right one."""
    reset(username=username, ip=place_of_request(request))


def cool_down(times: int) -> timedelta:
    """Return how long the first, second, ... lockout of a row lasts."""
    return min(FIRST * (1 << min(times - 1, _MOST_DOUBLINGS)), LONGEST)


def require_not_locked_out(*, request: HttpRequest, username: str) -> None:
    """Refuse a name that is locked, where something else than a password is tried.

    Raises:
        LockedOut: see the class.
    """
    if not AxesProxyHandler.is_allowed(request, {"username": username}):
        raise locked_out(request)


def met_lockout(request: HttpRequest) -> bool:
    """Tell whether the request met a lockout that stood before."""
    return bool(getattr(request, "met_lockout", False))


def seconds_locked(request: HttpRequest) -> int:
    """Return in how many seconds the lockout ends that the request met or caused."""
    lockout: Lockout = request.lockout  # type: ignore[attr-defined]
    now: datetime = request.axes_attempt_time  # type: ignore[attr-defined]
    return ceil((lockout.locked_until - now).total_seconds())


def locked_out(request: HttpRequest) -> LockedOut:
    """Return the refusal of a request that met or caused a lockout."""
    return LockedOut(retry_after=seconds_locked(request))


def _lock(request: HttpRequest, credentials: dict[str, Any]) -> Lockout:
    now: datetime = request.axes_attempt_time  # type: ignore[attr-defined]
    Lockout.objects.filter(locked_until__lte=now - REMEMBERED).delete()
    before = _lockouts_of(request, credentials).first()
    times = before.times + 1 if before else 1
    # The name's turn is held (see `attempts`), so nobody else locks it at this moment.
    lockout, _created = Lockout.objects.update_or_create(
        username=get_client_username(request, credentials) or "",
        ip=request.axes_ip_address,  # type: ignore[attr-defined]
        defaults={"times": times, "locked_at": now, "locked_until": now + cool_down(times)},
    )
    return lockout


def _lockouts_of(request: HttpRequest, credentials: dict[str, Any] | None) -> QuerySet[Lockout]:
    username = get_client_username(request, credentials) or ""
    return Lockout.objects.filter(username=username, ip=request.axes_ip_address)  # type: ignore[attr-defined]


def _note(request: HttpRequest, lockout: Lockout, *, met: bool) -> None:
    request.lockout = lockout  # type: ignore[attr-defined]
    request.met_lockout = met  # type: ignore[attr-defined]
