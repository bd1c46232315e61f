"""The life of a session: started, refreshed, revoked.

Signing in and out go on while writing is switched off. A start and a revocation leave a leaf each; a refresh, of
which a busy client makes one every few minutes, updates `last_used_at` alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.core.scope import staff_scope, write_scope
from apps.users import selectors, tokens
from apps.users.models import Session, User
from apps.users.types import Origin


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session together with its newest refresh token, which is stored only as a hash."""

    session: Session
    refresh: str


def start_session(*, user: User, tenant_id: UUID, origin: Origin, now: datetime) -> OpenSession:
    """Start a session of an authenticated user in one tenant. It ends after SESSION_SECONDS, refreshed or not."""
    refresh = tokens.new_refresh_token()
    session = Session(
        user=user,
        tenant_id=tenant_id,
        refresh_hash=tokens.hash_refresh_token(refresh),
        created_at=now,
        last_used_at=now,
        expires_at=now + timedelta(seconds=settings.SESSION_SECONDS),
        ip=origin.ip or None,
        user_agent=origin.user_agent[:200],
    )
    with transaction.atomic():
        session.save(force_insert=True)
        user.last_login = now
        user.save(update_fields=["last_login"])
        _record("session.started", session, _actor(session, origin), now)
    return OpenSession(session, refresh)


def refresh_session(*, refresh: str, origin: Origin, now: datetime) -> OpenSession | None:
    """Exchange a refresh token for the next one; None when it is no good.

    A token that was exchanged before revokes its session. That must be committed, hence no exception here.
    """
    digest = tokens.hash_refresh_token(refresh)
    with transaction.atomic():
        # Of two exchanges at once the second waits here, and then finds its token already replaced.
        session = (
            Session.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(Q(refresh_hash=digest) | Q(previous_refresh_hash=digest))
            .filter(revoked_at__isnull=True, expires_at__gt=now, user__is_active=True)
            .first()
        )
        if session is None:
            return None
        if bytes(session.refresh_hash) != digest:
            _revoke(session, _actor(session, origin), now, reason="refresh_token_reused")
            return None
        following = tokens.new_refresh_token()
        session.previous_refresh_hash = digest
        session.refresh_hash = tokens.hash_refresh_token(following)
        session.last_used_at = now
        session.save(update_fields=["previous_refresh_hash", "refresh_hash", "last_used_at"])
    return OpenSession(session, following)


def revoke_session(*, session_id: UUID, actor: Actor, now: datetime) -> None:
    """Revoke a live session of the acting user in the acting tenant; its access tokens die with it.

    Raises:
        NotFound: there is no such session.
    """
    assert actor.user_id is not None
    assert actor.tenant_id is not None
    live = selectors.live_sessions(user_id=actor.user_id, tenant_id=actor.tenant_id, now=now)
    with transaction.atomic():
        session = live.select_for_update().filter(id=session_id).first()
        if session is None:
            raise NotFound
        _revoke(session, actor, now, reason="signed_out")


def revoke_any_session(*, session_id: UUID, reason: str, actor: Actor, now: datetime) -> bool:
    """Sign a user out of the API on behalf of staff, and keep why; return False when the session was revoked before.

    Raises:
        NotFound: there is no such session.
    """
    with staff_scope():
        session = Session.objects.select_for_update().filter(id=session_id).first()
        if session is None:
            raise NotFound
        if session.revoked_at is not None:
            return False
        _revoke(session, actor.for_tenant(session.tenant_id), now, reason=reason)
    return True


def revoke_by_refresh_token(*, refresh: str, origin: Origin, now: datetime) -> None:
    """Revoke the session whose newest refresh token this is; an unknown one changes nothing (RFC 7009)."""
    with transaction.atomic():
        session = (
            Session.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(refresh_hash=tokens.hash_refresh_token(refresh), revoked_at__isnull=True)
            .first()
        )
        if session is not None:
            _revoke(session, _actor(session, origin), now, reason="signed_out")


def _revoke(session: Session, actor: Actor, now: datetime, *, reason: str) -> None:
    session.revoked_at = now
    session.save(update_fields=["revoked_at"])
    changes = {"reason": [None, reason]}
    if actor.user_id != session.user_id:
        changes["user_id"] = [None, str(session.user_id)]
    _record("session.revoked", session, actor, now, changes)


def _record(action: str, session: Session, actor: Actor, now: datetime, changes: dict[str, Any] | None = None) -> None:
    with write_scope(actor, even_if_read_only=True):
        audit.record(action=action, actor=actor, target_type="session", target_id=session.id, now=now, changes=changes)


def _actor(session: Session, origin: Origin) -> Actor:
    return Actor(
        kind="user",
        label=session.user.username,
        tenant_id=session.tenant_id,
        user_id=session.user_id,
        request_id=origin.request_id,
        ip=origin.ip,
    )
