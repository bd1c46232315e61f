"""Reads of the users room. Its tables are global: they are read outside of any scope."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.users.models import Authenticator, RecoveryCodes, Session


def live_sessions(*, user_id: UUID, tenant_id: UUID, now: datetime) -> QuerySet[Session]:
    """Return the sessions of a user in one tenant that are neither revoked nor expired."""
    return live_sessions_everywhere(user_id=user_id, now=now).filter(tenant_id=tenant_id)


def live_sessions_everywhere(*, user_id: UUID, now: datetime) -> QuerySet[Session]:
    """Return the sessions of a user in all tenants that are neither revoked nor expired."""
    return Session.objects.filter(user_id=user_id, revoked_at__isnull=True, expires_at__gt=now)


def factors_of(user_id: UUID) -> list[Authenticator]:
    """Return a user's confirmed second factors, oldest first."""
    return list(Authenticator.objects.filter(user_id=user_id, confirmed=True).order_by("id"))


def find_factor(user_id: UUID, factor_id: UUID, *, waiting: bool = False) -> Authenticator | None:
    """Return one of a user's factors, if need be of those alone that wait to be confirmed."""
    found = Authenticator.objects.filter(user_id=user_id, id=factor_id)
    factor: Authenticator | None = (found.filter(confirmed=False) if waiting else found).first()
    return factor


def find_recovery_codes(user_id: UUID) -> RecoveryCodes | None:
    """Return what is left of a user's recovery codes."""
    codes: RecoveryCodes | None = RecoveryCodes.objects.filter(user_id=user_id).first()
    return codes
