"""The letters of password resets: written by a worker, to members alone, and not many of them."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.core import mail
from django.test import override_settings

import apps.tenants.tasks  # noqa: F401  (registers the handler, as a worker does when it starts)
from apps.core import clock
from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.tenants.models import Tenant
from apps.tenants.services import post_resets
from apps.users.models import PasswordReset, User
from apps.users.services import ask_for_reset, write_letter
from apps.users.types import Origin
from tests.factories import tenants
from tests.tenants.records import leaves
from tests.tenants.test_letters import work

pytestmark = pytest.mark.worker_login


@pytest.fixture
def initech() -> Tenant:
    return tenants.make_tenant("initech")


def make_user(username: str, **values: bool) -> User:
    """Create a user as a worker may: without a leaf in the installation's log."""
    return User.objects.create(username=username, email=f"{username}@example.com", **values)


def make_member(tenant: Tenant, username: str) -> User:
    return tenants.make_member(tenant, "", user=make_user(username))


def ask(login: str, now: datetime | None = None) -> None:
    ask_for_reset(login=login, origin=Origin(ip="192.0.2.7", request_id="r-1"), now=now or clock.now())


def jobs_of(tenant_id: UUID) -> list[str]:
    with tenant_scope(tenant_id):
        return list(Job.objects.order_by("id").values_list("kind", flat=True))


def test_a_letter_says_all_that_is_needed_and_its_token_is_nowhere_kept(initech: Tenant) -> None:
    ada = make_member(initech, "ada")
    ask("ada@example.com")
    assert post_resets(now=clock.now()) == 1
    work()
    (letter,) = mail.outbox
    stored = PasswordReset.objects.get()
    assert (letter.to, letter.subject) == (["ada@example.com"], "A new password for finops")
    assert letter.body.startswith("Somebody asked for a new password for ada.\n")
    assert f"POST {settings.BASE_URL}/api/v1/auth/password/reset/confirm" in letter.body
    assert stored.expires_at is not None
    assert f"until {stored.expires_at:%Y-%m-%d %H:%M} UTC" in letter.body
    (token,) = [line.strip() for line in letter.body.splitlines() if line.startswith("  fow_")]
    with tenant_scope(initech.id):
        assert token not in str(list(Job.objects.values()))
    assert token not in str([*PasswordReset.objects.values(), *User.objects.values()])
    assert leaves(initech.id)[-1] == ("user.password_reset_requested", {})
    assert stored.user_id == ada.id


def test_a_letter_links_to_the_page_of_the_installation(initech: Tenant) -> None:
    make_member(initech, "ada")
    ask("ada")
    post_resets(now=clock.now())
    with override_settings(PASSWORD_RESET_URL="https://app.example.com/password?token={token}"):
        work()
    assert "\n  https://app.example.com/password?token=fow_" in mail.outbox[0].body
    assert "POST" not in mail.outbox[0].body


def test_who_is_nobody_staff_gone_or_without_a_tenant_gets_none(initech: Tenant) -> None:
    make_user("boss", is_staff=True)
    make_user("stranger")
    make_member(initech, "gone")
    User.objects.filter(username="gone").update(is_active=False)
    for login in ("nobody", "boss", "stranger", "gone"):
        ask(login)
    assert post_resets(now=clock.now()) == 4
    assert (PasswordReset.objects.count(), jobs_of(initech.id), mail.outbox) == (0, [], [])


def test_however_often_somebody_asks_one_letter_goes_out_in_two_minutes(initech: Tenant) -> None:
    make_member(initech, "ada")
    start = clock.now()
    for seconds in (0, 1, 119, 121):
        now = start + timedelta(seconds=seconds)
        ask("ada", now)
        post_resets(now=now)
    assert jobs_of(initech.id) == ["password_reset.send"] * 2


def test_a_letter_that_could_not_be_sent_for_an_hour_is_not_sent_any_more(initech: Tenant) -> None:
    make_member(initech, "ada")
    now = clock.now()
    ask("ada", now)
    post_resets(now=now)
    reset = PasswordReset.objects.get()
    first = write_letter(reset_id=reset.id, now=now + timedelta(minutes=59))
    second = write_letter(reset_id=reset.id, now=now + timedelta(minutes=59))
    assert first is not None
    assert second is not None
    assert first.token != second.token, "the later one makes the earlier void"
    assert write_letter(reset_id=reset.id, now=now + timedelta(hours=1)) is None
    post_resets(now=now + timedelta(minutes=91))
    assert PasswordReset.objects.count() == 0
