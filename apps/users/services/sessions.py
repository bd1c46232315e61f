"""The life of a session: started, refreshed, revoked.

Signing in and out go on while writing is switched off. A start and a revocation leave a leaf each; a refresh, of
which a busy client makes one every few minutes, updates `last_used_at` alone.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.audit import services as audit
from apps.core import crypto
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.scope import staff_scope, write_scope
from apps.core.tokens import TokenKind, hash_token, new_token
from apps.users import selectors
from apps.users.models import RefreshToken, Session, StaffSession, User
from apps.users.types import Origin

# Ended sessions are shown to staff for this long.
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session together with its newest refresh token, which is stored only as a hash."""

    session: Session
    refresh: str


def start_session(*, user: User, tenant_id: UUID, origin: Origin, now: datetime, factor: str = "") -> OpenSession:
    """Start a session of an authenticated user in one tenant. It ends after SESSION_SECONDS, and before when unused.

    `factor` is the second one that was proved.
    """
    refresh = new_token(TokenKind.REFRESH)
    session = Session(
        user=user,
        tenant_id=tenant_id,
        created_at=now,
        last_used_at=now,
        proved_at=now,
        expires_at=now + timedelta(seconds=settings.SESSION_SECONDS),
        ip=origin.ip or None,
        user_agent=origin.user_agent[:200],
    )
    with transaction.atomic():
        session.save(force_insert=True)
        _store(session, refresh)
        user.last_login = now
        user.save(update_fields=["last_login"])
        changes = {"factor": [None, factor]} if factor else None
        _record("session.started", session, _actor(session, origin), now, changes)
    return OpenSession(session, refresh)


def renew_proof(*, session_id: UUID, actor: Actor, now: datetime) -> None:
    """Note that the user of a session has just proved again who they are."""
    with transaction.atomic():
        session = Session.objects.select_for_update().get(id=session_id)
        session.proved_at = now
        session.save(update_fields=["proved_at"])
        _record("session.proved", session, actor, now)


def refresh_session(*, refresh: str, origin: Origin, now: datetime) -> OpenSession | None:
    """Exchange a refresh token for the next one; None when it is no good.

    For REFRESH_GRACE_SECONDS the token that was just exchanged gives the same next one again: an answer may have been
    lost, or two tabs have asked at once. Any other token that was exchanged before revokes the session, since somebody
    has copied it. That must be committed, hence no exception here.
    """
    with transaction.atomic():
        token = _lock(refresh)
        if token is None or not _is_alive(token.session, now):
            return None
        session = token.session
        if token.replaced_at is None:
            following = _replace(token, now)
        elif _may_ask_again(token, now):
            following = _successor(token)
        else:
            _revoke(session, _actor(session, origin), now, reason="refresh_token_reused")
            return None
        session.last_used_at = now
        session.save(update_fields=["last_used_at"])
    return OpenSession(session, following)


def _lock(refresh: str) -> RefreshToken | None:
    """Lock a token's session, then read the token: of two exchanges at once the second sees what the first did."""
    found = RefreshToken.objects.filter(token_hash=hash_token(refresh))
    session_id = found.values_list("session_id", flat=True).first()
    if session_id is None:
        return None
    session = Session.objects.select_for_update(of=("self",)).select_related("user").get(id=session_id)
    token = found.get()
    token.session = session
    return token


def _is_alive(session: Session, now: datetime) -> bool:
    return session.revoked_at is None and session.ends_at > now and session.user.is_active


def _replace(token: RefreshToken, now: datetime) -> str:
    following = new_token(TokenKind.REFRESH)
    token.replaced_at = now
    token.successor = crypto.encrypt(following.encode(), bound_to=token.successor_bound_to())
    token.save(update_fields=["replaced_at", "successor"])
    # Older ones have no use for theirs any more.
    RefreshToken.objects.filter(session=token.session).exclude(id=token.id).update(successor=None)
    _store(token.session, following)
    return following


def _may_ask_again(token: RefreshToken, now: datetime) -> bool:
    assert token.replaced_at is not None
    grace = timedelta(seconds=settings.REFRESH_GRACE_SECONDS)
    return token.successor is not None and now - token.replaced_at <= grace


def _successor(token: RefreshToken) -> str:
    assert token.successor is not None
    return crypto.decrypt(bytes(token.successor), bound_to=token.successor_bound_to()).decode()


def _store(session: Session, refresh: str) -> None:
    RefreshToken(session=session, token_hash=hash_token(refresh)).save(force_insert=True)


def revoke_session(*, session_id: UUID, actor: Actor, now: datetime) -> None:
    """Revoke a live session of the acting user in the acting tenant; its access tokens die with it.

    Raises:
        NotFound: there is no such session.
    """
    assert actor.user_id is not None
    assert actor.tenant_id is not None
    live = selectors.live_sessions(user_id=actor.user_id, tenant_id=actor.tenant_id, now=now)
    with transaction.atomic():
        session = get_one(live.select_for_update().filter(id=session_id))
        _revoke(session, actor, now, reason="signed_out")


def revoke_any_session(*, session_id: UUID, reason: str, actor: Actor, now: datetime) -> bool:
    """Sign a user out of the API on behalf of staff, and keep why; return False when the session was revoked before.

    Raises:
        NotFound: there is no such session.
    """
    with staff_scope():
        session = get_one(Session.objects.select_for_update().filter(id=session_id))
        if session.revoked_at is not None:
            return False
        _revoke(session, actor.for_tenant(session.tenant_id), now, reason=reason)
    return True


def revoke_sessions(*, user_id: UUID, tenant_id: UUID, reason: str, actor: Actor, now: datetime) -> int:
    """Sign a user out of one tenant everywhere, on somebody else's word; return how many sessions ended."""
    live = selectors.live_sessions(user_id=user_id, tenant_id=tenant_id, now=now)
    with transaction.atomic():
        sessions = list(live.select_for_update().order_by("id"))
        for session in sessions:
            _revoke(session, actor.for_tenant(tenant_id), now, reason=reason)
    return len(sessions)


def end_other_sessions(*, user_id: UUID, keep: UUID | None, reason: str, actor: Actor, now: datetime) -> int:
    """Sign a user out everywhere but in the session `keep`, the one that acts; return how many sessions ended.

    Each leaves a leaf: in its tenant's log, or the installation's for one in the admin. Called outside of a tenant's
    scope, in which sessions are out of reach.
    """
    with transaction.atomic():
        live = selectors.live_sessions_everywhere(user_id=user_id, now=now).select_for_update()
        ending = [session for session in live.order_by("id") if session.id != keep]
        for session in ending:
            _revoke(session, actor.for_tenant(session.tenant_id), now, reason=reason)
        inside = StaffSession.objects.filter(selectors.staff_alive_at(now), user_id=user_id).order_by("id")
        leaving = [session.id for session in inside if session.id != keep]
        for session_id in leaving:
            revoke_staff_session(session_id=session_id, reason=reason, actor=actor, now=now)
    return len(ending) + len(leaving)


def revoke_staff_session(*, session_id: UUID, reason: str, actor: Actor, now: datetime) -> bool:
    """Sign somebody out of the admin, and keep why; return False when the session was over before.

    Raises:
        NotFound: there is no such session.
    """
    with staff_scope():
        session = get_one(StaffSession.objects.select_for_update().filter(id=session_id))
        if session.revoked_at is not None or session.ends_at <= now:
            return False
        session.revoked_at, session.session_data = now, ""
        session.save(update_fields=["revoked_at", "session_data"])
        changes = {"reason": [None, reason], "user_id": [None, str(session.user_id)]}
        by = replace(actor, tenant_id=None)
        audit.record(
            action="staff.session_revoked",
            actor=by,
            target_type="staff_session",
            target_id=session_id,
            now=now,
            changes=changes,
        )
    return True


def revoke_by_refresh_token(*, refresh: str, origin: Origin, now: datetime) -> None:
    """Revoke the session of a refresh token; an unknown one changes nothing (RFC 7009).

    One that was exchanged before counts as well: another tab may have been quicker, and whoever copied it may end the
    session by using it, too.
    """
    with transaction.atomic():
        token = _lock(refresh)
        if token is not None and token.session.revoked_at is None:
            _revoke(token.session, _actor(token.session, origin), now, reason="signed_out")


def forget_sessions(*, now: datetime) -> None:
    """Delete the rows of sessions that ended a month ago, or before; the audit log keeps what happened."""
    Session.objects.filter(expires_at__lt=now - KEPT).delete()
    longest = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    StaffSession.objects.filter(created_at__lt=now - longest - KEPT).delete()


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
