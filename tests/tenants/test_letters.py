"""The letters of invitations: sent by a worker, once, and only while they are worth something."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.core import mail
from django.test import override_settings

import apps.tenants.tasks  # noqa: F401  (registers the handler, as a worker does when it starts)
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope
from apps.jobs import runner
from apps.jobs.models import Job
from apps.tenants.enums import Role
from apps.tenants.models import Invitation, Tenant
from apps.tenants.services import invite, resend_invitation, revoke_invitation
from tests.factories.tenants import make_invitation, make_tenant

pytestmark = pytest.mark.worker_login


def work() -> None:
    for _ in range(10):
        if not runner.run_next("default", worker="w1"):
            return


def read(tenant: Tenant) -> tuple[Invitation, list[str]]:
    with tenant_scope(tenant.id):
        return Invitation.objects.get(), list(Job.objects.values_list("state", flat=True))


def test_a_letter_says_all_that_is_needed_and_its_token_is_then_forgotten() -> None:
    tenant = make_tenant("initech")
    invitation, token = make_invitation(tenant, "neo@example.com", "trader")
    assert mail.outbox == []
    work()
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["neo@example.com"], "You are invited to Initech")
    assert letter.body.startswith("You are invited to join Initech as Trader.\n")
    assert f"\n  {token}\n" in letter.body
    assert f"POST {settings.BASE_URL}/api/v1/invitations/accept" in letter.body
    assert f"until {invitation.expires_at:%Y-%m-%d %H:%M} UTC" in letter.body
    stored, jobs = read(tenant)
    assert stored.sealed_token is None
    assert stored.sent_at is not None
    assert jobs == ["succeeded"]


def test_who_invites_chooses_no_word_of_a_letter_that_comes_from_us() -> None:
    tenant = make_tenant("initech")
    key = system_actor("Win at evil.example.com", tenant_id=tenant.id)  # as an API key may be named
    invite(email="neo@example.com", role=Role.VIEWER, actor=key, now=clock.now())
    work()
    assert "evil" not in f"{mail.outbox[0].subject} {mail.outbox[0].body}"
    assert read(tenant)[0].invited_by == "Win at evil.example.com"


def test_a_letter_links_to_the_page_of_the_installation() -> None:
    _invitation, token = make_invitation(make_tenant("initech"), "neo@example.com")
    with override_settings(INVITATION_URL="https://app.example.com/join#token={token}"):
        work()
    assert f"\n  https://app.example.com/join#token={token}\n" in mail.outbox[0].body
    assert "POST" not in mail.outbox[0].body


def _resend(invitation: Invitation) -> None:
    actor = system_actor("tests", tenant_id=invitation.tenant_id)
    resend_invitation(invitation_id=invitation.id, actor=actor, now=clock.now())


def _revoke(invitation: Invitation) -> None:
    actor = system_actor("tests", tenant_id=invitation.tenant_id)
    revoke_invitation(invitation_id=invitation.id, actor=actor, now=clock.now())


@pytest.mark.parametrize(("change", "sent"), [(_resend, 1), (_revoke, 0)])
def test_a_token_that_is_void_is_not_sent(change: Callable[[Invitation], None], sent: int) -> None:
    tenant = make_tenant("initech")
    invitation, void = make_invitation(tenant, "neo@example.com")
    change(invitation)
    work()
    assert len(mail.outbox) == sent
    assert void not in "".join(str(letter.body) for letter in mail.outbox)
    assert set(read(tenant)[1]) == {"succeeded"}


def test_a_mail_server_that_fails_is_tried_again_with_the_same_token() -> None:
    tenant = make_tenant("initech")
    _invitation, token = make_invitation(tenant, "neo@example.com")
    # Port 9 of this machine: nobody listens.
    down = {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": 9}
    with override_settings(**down):
        work()
    stored, jobs = read(tenant)
    assert (jobs, stored.sent_at) == (["queued"], None)
    with tenant_scope(tenant.id):
        Job.objects.update(run_at=clock.now())
    work()
    assert token in str(mail.outbox[0].body)
    assert read(tenant)[1] == ["succeeded"]
