"""A session is a family of refresh tokens: each is replaced by the next, and a copied one ends them all."""

import hashlib
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.users.models import RefreshToken, Session, StaffSession, User
from apps.users.selectors import live_sessions
from apps.users.services import (
    OpenSession,
    end_other_sessions,
    forget_sessions,
    refresh_session,
    revoke_by_refresh_token,
    revoke_session,
    start_session,
)
from apps.users.types import Origin
from tests.factories.users import make_user
from tests.tenants.records import actions, leaves
from tests.threads import at_once

TENANT = uuid4()
ORIGIN = Origin(request_id="r-1", ip="192.0.2.7", user_agent="curl/8")


@pytest.fixture
def ada() -> User:
    return make_user("ada")


def start(user: User, now: datetime) -> OpenSession:
    return start_session(user=user, tenant_id=TENANT, origin=ORIGIN, now=now)


def refresh(token: str, now: datetime) -> str | None:
    opened = refresh_session(refresh=token, origin=ORIGIN, now=now)
    return opened.refresh if opened else None


def test_a_session_starts_with_a_token_that_is_stored_as_its_hash(ada: User, now: datetime) -> None:
    opened = start(ada, now)
    stored = Session.objects.get()
    assert stored.id == opened.session.id
    assert (stored.user_id, stored.tenant_id) == (ada.id, TENANT)
    token = RefreshToken.objects.get()
    assert bytes(token.token_hash) == hashlib.sha256(opened.refresh.encode()).digest()
    assert (token.session_id, token.replaced_at, token.successor) == (stored.id, None, None)
    assert (stored.created_at, stored.last_used_at, stored.revoked_at) == (now, now, None)
    assert stored.expires_at == now + timedelta(days=30)
    assert (stored.ip, stored.user_agent) == ("192.0.2.7", "curl/8")
    assert User.objects.get().last_login == now
    assert leaves(TENANT) == [("session.started", {})]


def test_each_refresh_gives_the_next_token_and_does_not_prolong_the_session(ada: User, now: datetime) -> None:
    first = start(ada, now)
    later = now + timedelta(hours=1)
    second = refresh_session(refresh=first.refresh, origin=ORIGIN, now=later)
    assert second is not None
    third = refresh_session(refresh=second.refresh, origin=ORIGIN, now=later)
    assert third is not None
    assert len({first.refresh, second.refresh, third.refresh}) == 3
    stored = Session.objects.get()
    assert RefreshToken.objects.filter(successor__isnull=False).count() == 1, "only the last but one is kept readable"
    assert (stored.last_used_at, stored.expires_at) == (later, now + timedelta(days=30))


def test_whoever_lost_the_answer_gets_the_same_next_token_for_ten_seconds(ada: User, now: datetime) -> None:
    first = start(ada, now)
    second = refresh(first.refresh, now)
    assert refresh(first.refresh, now + timedelta(seconds=10)) == second
    assert refresh(first.refresh, now + timedelta(seconds=10, microseconds=1)) is None
    assert leaves(TENANT)[1:] == [("session.revoked", {"reason": [None, "refresh_token_reused"]})]


def test_only_the_immediate_parent_may_ask_again(ada: User, now: datetime) -> None:
    first = start(ada, now)
    second = refresh(first.refresh, now)
    assert second is not None
    third = refresh(second, now)
    assert third is not None
    assert refresh(first.refresh, now) is None, "a grandparent is a copy, however young"
    assert refresh(third, now) is None, "and ends the family"


def test_a_token_used_twice_revokes_the_session(ada: User, now: datetime) -> None:
    first = start(ada, now)
    second = refresh_session(refresh=first.refresh, origin=ORIGIN, now=now)
    assert second is not None
    now += timedelta(seconds=11)
    assert refresh_session(refresh=first.refresh, origin=ORIGIN, now=now) is None
    assert Session.objects.get().revoked_at == now
    assert leaves(TENANT)[1:] == [("session.revoked", {"reason": [None, "refresh_token_reused"]})]
    assert refresh_session(refresh=second.refresh, origin=ORIGIN, now=now) is None


def test_an_expired_session_gives_nothing(ada: User, now: datetime) -> None:
    opened = start(ada, now)
    Session.objects.update(last_used_at=now + timedelta(days=28))
    assert refresh_session(refresh=opened.refresh, origin=ORIGIN, now=now + timedelta(days=30)) is None
    assert refresh_session(refresh=opened.refresh, origin=ORIGIN, now=now + timedelta(days=29)) is not None


def test_a_session_that_nobody_uses_for_a_week_ends(ada: User, now: datetime) -> None:
    token: str | None = start(ada, now).refresh
    last = now
    for _ in range(4):
        last += timedelta(days=7) - timedelta(microseconds=1)
        assert token is not None
        token = refresh(token, last)
    assert token is not None
    assert Session.objects.get().ends_at == now + timedelta(days=30)
    Session.objects.update(expires_at=now + timedelta(days=365))
    assert refresh(token, last + timedelta(days=7)) is None
    assert not live_sessions(user_id=ada.id, tenant_id=TENANT, now=last + timedelta(days=7)).exists()
    assert live_sessions(user_id=ada.id, tenant_id=TENANT, now=last + timedelta(days=6)).exists()


def test_an_unknown_token_gives_nothing(now: datetime) -> None:
    assert refresh_session(refresh="for_unknown", origin=ORIGIN, now=now) is None


def test_a_deactivated_user_gets_nothing(ada: User, now: datetime) -> None:
    opened = start(ada, now)
    User.objects.update(is_active=False)
    assert refresh_session(refresh=opened.refresh, origin=ORIGIN, now=now) is None


def test_signing_out_by_refresh_token(ada: User, now: datetime) -> None:
    opened, other = start(ada, now), start(ada, now)
    revoke_by_refresh_token(refresh=opened.refresh, origin=ORIGIN, now=now)
    assert list(Session.objects.filter(revoked_at=now)) == [opened.session]
    assert refresh_session(refresh=other.refresh, origin=ORIGIN, now=now) is not None
    assert leaves(TENANT)[2:] == [("session.revoked", {"reason": [None, "signed_out"]})]


def test_signing_out_by_a_token_that_was_just_exchanged_or_long_ago(ada: User, now: datetime) -> None:
    for later in (timedelta(seconds=5), timedelta(hours=1)):
        opened = start(ada, now)
        following = refresh(opened.refresh, now)
        assert following is not None
        revoke_by_refresh_token(refresh=opened.refresh, origin=ORIGIN, now=now + later)
        assert refresh(following, now + later) is None


def test_signing_out_with_an_unknown_token_changes_nothing(ada: User, now: datetime) -> None:
    start(ada, now)
    revoke_by_refresh_token(refresh="for_unknown", origin=ORIGIN, now=now)
    assert Session.objects.get().revoked_at is None
    assert actions(TENANT) == ["session.started"]


def test_a_session_is_revoked_by_its_user_in_its_tenant_alone(ada: User, now: datetime) -> None:
    opened = start(ada, now)

    def revoke(user: User, tenant_id: object) -> None:
        actor = Actor(kind="user", label="x", user_id=user.id, tenant_id=tenant_id)  # type: ignore[arg-type]
        revoke_session(session_id=opened.session.id, actor=actor, now=now)

    for user, tenant_id in [(make_user("eve"), TENANT), (ada, uuid4())]:
        with pytest.raises(NotFound):
            revoke(user, tenant_id)
    assert Session.objects.get().revoked_at is None
    revoke(ada, TENANT)
    assert Session.objects.get().revoked_at == now
    with pytest.raises(NotFound):
        revoke(ada, TENANT)


def test_all_sessions_of_a_user_end_but_the_one_that_acts(ada: User, now: datetime) -> None:
    own, other = start(ada, now), start(ada, now)
    elsewhere = start_session(user=ada, tenant_id=(globex := uuid4()), origin=ORIGIN, now=now)
    strangers = start(make_user("eve"), now)
    actor = Actor(kind="user", label="ada", user_id=ada.id, tenant_id=TENANT)
    assert end_other_sessions(user_id=ada.id, keep=own.session.id, reason="password_changed", actor=actor, now=now) == 2
    ended = Session.objects.filter(revoked_at=now).order_by("id")
    assert list(ended) == [other.session, elsewhere.session]
    assert leaves(TENANT)[3:] == leaves(globex)[1:] == [("session.revoked", {"reason": [None, "password_changed"]})]
    assert refresh(strangers.refresh, now) is not None
    assert end_other_sessions(user_id=ada.id, keep=None, reason="password_reset", actor=actor, now=now) == 1
    assert refresh(own.refresh, now) is None


def test_rows_of_sessions_go_a_month_after_their_end(ada: User, now: datetime) -> None:
    opened = start(ada, now)
    StaffSession.objects.create(user=ada, key_hash=b"k" * 32, created_at=now, last_used_at=now)
    forget_sessions(now=now + timedelta(days=30, hours=12))
    assert (Session.objects.count(), StaffSession.objects.count()) == (1, 1)
    forget_sessions(now=now + timedelta(days=30, hours=13))
    assert (Session.objects.count(), StaffSession.objects.count()) == (1, 0)
    forget_sessions(now=opened.session.expires_at + timedelta(days=30))
    assert Session.objects.count() == 1
    forget_sessions(now=opened.session.expires_at + timedelta(days=31))
    assert (Session.objects.count(), RefreshToken.objects.count()) == (0, 0)


@pytest.mark.commits
def test_two_refreshes_at_once_get_the_same_next_token(now: datetime) -> None:
    opened = start(make_user("ada"), now)
    first, second = at_once(lambda _request: refresh(opened.refresh, now), range(2))
    assert first == second is not None
    assert Session.objects.get().revoked_at is None
