"""Password resets where tenants come in: a letter is a job, and a job is some tenant's."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from apps.audit import services as audit
from apps.core.actor import Actor, system_actor
from apps.core.scope import write_scope
from apps.jobs import services as jobs
from apps.tenants import selectors
from apps.tenants.types import SEND_PASSWORD_RESET
from apps.users import services as users
from apps.users.errors import InvalidPasswordReset
from apps.users.models import PasswordReset
from apps.users.types import Origin


def post_resets(*, now: datetime) -> int:
    """Enqueue a letter for each reset that was asked for, and forget the rest; return how many were looked at."""
    seen = 0
    while _post_next(now):
        seen += 1
    users.forget_resets(now=now)
    return seen


def confirm_password_reset(
    *, request: HttpRequest, token: str, password: str, otp: str, origin: Origin, now: datetime
) -> None:
    """Set a new password with the token of a letter.

    Raises:
        InvalidPasswordReset, PasswordTooWeak, InvalidCredentials, OtpRequired, LockedOut: see `users.reset_password`.
    """
    tenant_id = _tenant_of(users.get_user_of_reset(token, now=now).id)
    if tenant_id is None:
        raise InvalidPasswordReset
    users.reset_password(
        request=request, token=token, password=password, otp=otp, tenant_id=tenant_id, origin=origin, now=now
    )


def _post_next(now: datetime) -> bool:
    with transaction.atomic():
        reset = users.take_reset(now=now)
        if reset is None:
            return False
        wanted = users.is_wanted(reset, now=now)
        tenant_id = _tenant_of(reset.user_id) if wanted and reset.user_id else None
        if tenant_id is None:
            users.discard_reset(reset)
        else:
            _post(reset, tenant_id, now)
    return True


def _post(reset: PasswordReset, tenant_id: UUID, now: datetime) -> None:
    asked_by = Actor(
        kind="user", label="anonymous", tenant_id=tenant_id, request_id=reset.request_id, ip=reset.ip or ""
    )
    actor = system_actor("password_reset", tenant_id=tenant_id, request_id=reset.request_id)
    with write_scope(actor, even_if_read_only=True):
        audit.record(
            action="user.password_reset_requested",
            actor=asked_by,
            target_type="user",
            target_id=str(reset.user_id),
            now=now,
        )
        jobs.enqueue(kind=SEND_PASSWORD_RESET, payload={"reset_id": str(reset.id)}, actor=actor, now=now)


def _tenant_of(user_id: UUID) -> UUID | None:
    """Return the first tenant that a user belongs to, by slug, active ones first."""
    choices = sorted(selectors.memberships_of(user_id), key=lambda choice: choice.is_suspended)
    return choices[0].tenant_id if choices else None
