"""Sessions in the admin: they end when idle, after half a day, and when somebody ends them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db.models import F
from django.test import Client

from apps.core import clock
from apps.core.actor import Actor
from apps.users.models import StaffSession, User
from apps.users.services import end_other_sessions
from tests.backoffice.staff import code_of, enrol, open_session, post_login, wait_for_fresh_period
from tests.factories.users import PASSWORD, make_user
from tests.tenants.records import leaves

SECOND = timedelta(seconds=1)
JOBS = "/admin/jobs/job/"


def is_inside(client: Client) -> bool:
    return client.get(JOBS).status_code == 200


def let_pass(time: timedelta, *, idle: bool = True) -> None:
    """Let the sessions be older, and unused for as long."""
    StaffSession.objects.update(created_at=F("created_at") - time)
    if idle:
        StaffSession.objects.update(last_used_at=F("last_used_at") - time)


def the_session(user: User) -> StaffSession:
    return StaffSession.objects.get(user=user)


def test_it_knows_its_user_and_device_and_keeps_its_key_as_a_hash(client: Client, staff: User, device: Any) -> None:
    wait_for_fresh_period(device)
    client.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    post_login(client, code=code_of(device))
    stored = the_session(staff)
    assert (stored.ip, stored.user_agent[-13:], stored.revoked_at) == ("127.0.0.1", "Firefox/140.0", None)
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert key not in str(StaffSession.objects.values())
    assert len(bytes(stored.key_hash)) == 32


def test_it_ends_when_nobody_uses_it_for_half_an_hour(staff_client: Client) -> None:
    let_pass(timedelta(minutes=30) - 5 * SECOND)
    assert is_inside(staff_client)
    let_pass(timedelta(minutes=29))
    assert is_inside(staff_client), "it was used meanwhile"
    let_pass(timedelta(minutes=30))
    assert not is_inside(staff_client)


def test_what_a_page_fetches_by_itself_is_no_use(staff_client: Client) -> None:
    let_pass(timedelta(minutes=20))
    assert staff_client.get(f"{JOBS}?live=1").status_code == 200
    let_pass(timedelta(minutes=10))
    assert not is_inside(staff_client)


def test_it_ends_after_twelve_hours_however_busy(staff_client: Client) -> None:
    let_pass(timedelta(hours=12) - 5 * SECOND, idle=False)
    assert is_inside(staff_client)
    let_pass(5 * SECOND, idle=False)
    assert not is_inside(staff_client)


def test_signing_out_ends_it_and_empties_it(staff_client: Client, staff: User) -> None:
    staff_client.post("/admin/logout/")
    stored = the_session(staff)
    assert (stored.revoked_at is not None, stored.session_data) == (True, "")
    assert not is_inside(staff_client)


def test_staff_end_anothers_session_with_a_reason(staff_client: Client, staff: User) -> None:
    mallory = make_user("mallory", is_staff=True, is_superuser=True)
    other = open_session(mallory, enrol(mallory))
    stored = the_session(mallory)
    url = f"/admin/users/staffsession/{stored.pk}/do/revoke/"
    staff_client.post(url)
    assert is_inside(other), "it asks for a reason first"
    staff_client.post(url, {"confirmed": "1", "reason": "lost laptop"})
    assert not is_inside(other)
    changes = {"reason": [None, "lost laptop"], "user_id": [None, str(mallory.pk)]}
    assert leaves(None)[-1] == ("staff.session_revoked", changes)
    page = staff_client.get("/admin/users/staffsession/").content.decode()
    assert ("mallory" in page, "Revoked" in page, "Alive" in page) == (True, True, True)


@pytest.mark.parametrize("keep", [True, False])
def test_all_others_of_a_user_end(staff_client: Client, staff: User, device: Any, keep: bool) -> None:
    kept: UUID | None = the_session(staff).pk if keep else None
    other = open_session(staff, device)
    actor = Actor(kind="staff", label="staff", user_id=staff.pk)
    ended = end_other_sessions(user_id=staff.pk, keep=kept, reason="test", actor=actor, now=clock.now())
    assert (ended, is_inside(staff_client), is_inside(other)) == (1 if keep else 2, keep, False)


def test_a_changed_password_goes_on_in_the_same_session_under_another_key(
    staff_client: Client, staff: User, device: Any
) -> None:
    own, key = the_session(staff), staff_client.cookies[settings.SESSION_COOKIE_NAME].value
    other = open_session(staff, device)
    new = "another long phrase"
    words = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert staff_client.post("/admin/password_change/", words).status_code == 302
    assert (is_inside(staff_client), is_inside(other)) == (True, False)
    assert staff_client.cookies[settings.SESSION_COOKIE_NAME].value != key
    own.refresh_from_db()
    assert own.revoked_at is None
