"""Sessions in the admin, in rows that know their user (SESSION_ENGINE): they can be listed and ended.

The key in the cookie is kept as a hash alone. A session ends when nobody has used it for STAFF_IDLE_SECONDS, and after
SESSION_COOKIE_AGE in any case; what a page fetches by itself is no use.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core import clock
from apps.core.tokens import hash_token
from apps.users.models import StaffSession
from apps.users.selectors import staff_alive_at
from apps.users.services.sessions import forget_sessions

_NOTED_EVERY = timedelta(minutes=1)


class SessionStore(SessionBase):
    """A session of the admin; what Django asks of an engine."""

    row: StaffSession | None = None

    def load(self) -> dict[str, Any]:
        """Return what the session holds; nothing once it has ended."""
        self.row = self._rows().filter(staff_alive_at(clock.now())).first() if self.session_key else None
        if self.row is None:
            self._session_key = None
            return {}
        return dict(self.decode(self.row.session_data))

    def exists(self, session_key: str) -> bool:
        """Tell whether a key is taken."""
        return StaffSession.objects.filter(key_hash=hash_token(session_key)).exists()

    def create(self) -> None:
        """Start a session under a new key."""
        self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Store what the session holds.

        Raises:
            CreateError, UpdateError: the key is taken; the session has ended meanwhile.
        """
        if self.session_key is None:
            return self.create()
        held, now = self._get_session(no_load=must_create), clock.now()  # type: ignore[attr-defined]
        values = {"session_data": self.encode(held), "user_id": held.get(SESSION_KEY)}
        if must_create:
            if self.exists(self.session_key):
                raise CreateError
            times = {"created_at": now, "last_used_at": now}
            self.row = StaffSession.objects.create(key_hash=hash_token(self.session_key), **values, **times)
        elif not self._rows().filter(revoked_at__isnull=True).update(**values):
            raise UpdateError
        return None

    def cycle_key(self) -> None:
        """Go on under a new key, in the same row: a changed password does not prolong a session."""
        held, row = self._session, self.row  # type: ignore[attr-defined]
        if row is None:
            self.create()
        else:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
            StaffSession.objects.filter(id=row.id).update(key_hash=hash_token(self._session_key))
        self._session_cache = held
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        """End the session; its row stays, without what it held."""
        key = session_key or self.session_key
        if key is not None:
            ended = StaffSession.objects.filter(key_hash=hash_token(key), revoked_at__isnull=True)
            ended.update(revoked_at=clock.now(), session_data="")

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what beat deletes every hour as well (`manage.py clearsessions`)."""
        forget_sessions(now=clock.now())

    def note_use(self, request: HttpRequest, *, now: datetime, at_once: bool) -> None:
        """Note when, and from where, the session is used; once a minute, unless it must be at once."""
        row = self.row
        if row is not None and (at_once or now - row.last_used_at >= _NOTED_EVERY):
            row.last_used_at, row.ip = now, request.META.get("REMOTE_ADDR") or None
            row.user_agent = request.META.get("HTTP_USER_AGENT", "")[:200]
            row.save(update_fields=["last_used_at", "ip", "user_agent"])

    def _rows(self) -> QuerySet[StaffSession]:
        return StaffSession.objects.filter(key_hash=hash_token(self.session_key or ""))


def note_use(request: HttpRequest, *, now: datetime, at_once: bool = False) -> None:
    """Note that somebody uses the session of a request; `at_once` when they have just signed in."""
    session = getattr(request, "session", None)
    if isinstance(session, SessionStore):
        session.note_use(request, now=now, at_once=at_once)


def session_id_of(request: HttpRequest) -> UUID | None:
    """Return the id of the session that a request of the admin came with."""
    assert isinstance(request.session, SessionStore)
    return request.session.row.id if request.session.row else None
