"""Reads of the users room. Its tables are global: they are read outside of any scope."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.users.models import Session


def live_sessions(*, user_id: UUID, tenant_id: UUID, now: datetime) -> QuerySet[Session]:
    """Return the sessions of a user in one tenant that are neither revoked nor expired."""
    return live_sessions_everywhere(user_id=user_id, now=now).filter(tenant_id=tenant_id)


def live_sessions_everywhere(*, user_id: UUID, now: datetime) -> QuerySet[Session]:
    """Return the sessions of a user in all tenants that are neither revoked nor expired."""
    return Session.objects.filter(user_id=user_id, revoked_at__isnull=True, expires_at__gt=now)
