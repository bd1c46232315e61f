"""Reads of the users room. Its tables are global: they are read outside of any scope."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from apps.core.tokens import hash_token
from apps.users.enums import PasskeyPurpose
from apps.users.models import (
    Authenticator,
    Passkey,
    PasskeyChallenge,
    PasswordReset,
    RecoveryCodes,
    Session,
    User,
)

Factor = Authenticator | Passkey

# Colleagues may share an address; not more of them get a letter each.
_SAME_ADDRESS = 5


def members_named(login: str) -> list[UUID]:
    """Return the active users, staff apart, who have this user name or e-mail address."""
    named = Q(username=login) | Q(email__iexact=login)
    found = User.objects.filter(named, is_active=True, is_staff=False).order_by("id")
    return list(found.values_list("id", flat=True)[:_SAME_ADDRESS])


def find_password_reset(token: str, *, now: datetime) -> PasswordReset | None:
    """Return the reset that a token of a letter is good for."""
    return PasswordReset.objects.filter(token_hash=hash_token(token), expires_at__gt=now).first()


def live_sessions(*, user_id: UUID, tenant_id: UUID, now: datetime) -> QuerySet[Session]:
    """Return the sessions of a user in one tenant that are neither revoked nor expired."""
    return live_sessions_everywhere(user_id=user_id, now=now).filter(tenant_id=tenant_id)


def live_sessions_everywhere(*, user_id: UUID, now: datetime) -> QuerySet[Session]:
    """Return the sessions of a user in all tenants that are neither revoked nor expired nor idle for too long."""
    return Session.objects.filter(alive_at(now), user_id=user_id)


def staff_alive_at(now: datetime) -> Q:
    """Return the condition for sessions of the admin that have not ended; see `StaffSession.ends_at`."""
    idle = now - timedelta(seconds=settings.STAFF_IDLE_SECONDS)
    began = now - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return Q(revoked_at__isnull=True, last_used_at__gt=idle, created_at__gt=began)


def alive_at(now: datetime) -> Q:
    """Return the condition for sessions that have not ended; see `Session.ends_at`."""
    idle = now - timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    return Q(revoked_at__isnull=True, expires_at__gt=now, last_used_at__gt=idle)


def factors_of(user_id: UUID) -> list[Factor]:
    """Return a user's confirmed second factors, oldest first."""
    found = [
        *Authenticator.objects.filter(user_id=user_id, confirmed=True),
        *Passkey.objects.filter(user_id=user_id, confirmed=True),
    ]
    return sorted(found, key=lambda factor: factor.id)


def find_factor(user_id: UUID, factor_id: UUID) -> Factor | None:
    """Return one of a user's factors, also one that waits to be confirmed."""
    own = {"user_id": user_id, "id": factor_id}
    found: Factor | None = Authenticator.objects.filter(**own).first() or Passkey.objects.filter(**own).first()
    return found


def find_waiting_authenticator(user_id: UUID, factor_id: UUID) -> Authenticator | None:
    """Return an authenticator of a user that waits to be confirmed."""
    waiting = Authenticator.objects.filter(user_id=user_id, id=factor_id, confirmed=False)
    factor: Authenticator | None = waiting.first()
    return factor


def find_passkey(credential_id: bytes) -> Passkey | None:
    """Return the passkey by the id that its authenticator knows it by."""
    found = Passkey.objects.select_related("user").filter(credential_id=credential_id, confirmed=True)
    passkey: Passkey | None = found.first()
    return passkey


def open_challenges(
    purpose: PasskeyPurpose, *, user_id: UUID | None, session_id: UUID | None, now: datetime
) -> QuerySet[PasskeyChallenge]:
    """Return the challenges that may still be answered for a purpose, by this user in this session."""
    return PasskeyChallenge.objects.filter(purpose=purpose, user_id=user_id, session_id=session_id, expires_at__gt=now)


def find_recovery_codes(user_id: UUID) -> RecoveryCodes | None:
    """Return what is left of a user's recovery codes."""
    codes: RecoveryCodes | None = RecoveryCodes.objects.filter(user_id=user_id).first()
    return codes
