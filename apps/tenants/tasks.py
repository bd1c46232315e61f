"""Sends letters, settles impersonations that are over, and stores how many requests were counted."""

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.api.limits import TALLY
from apps.jobs.registry import handles
from apps.jobs.types import Lease
from apps.tenants import services
from apps.tenants.services.invitations import Letter
from apps.tenants.types import SEND_INVITATION, SEND_PASSWORD_RESET
from apps.users import services as users


@handles(SEND_INVITATION)
def send_invitation(lease: Lease) -> None:
    """Send one invitation, unless it has become void. A mail server that fails is tried again."""
    letter = services.find_letter(lease, now=clock.now())
    if letter is None:
        return
    _message(letter).send()
    services.mark_sent(letter, lease, now=clock.now())


@shared_task(name="tenants.post_password_resets")
def post_password_resets() -> None:
    """Enqueue the letters of password resets that were asked for."""
    services.post_resets(now=clock.now())


@handles(SEND_PASSWORD_RESET)
def send_password_reset(lease: Lease) -> None:
    """Send one letter. After a failure the next one has another token, and makes this one void."""
    letter = users.write_letter(reset_id=UUID(lease.payload["reset_id"]), now=clock.now())
    if letter is not None:
        _reset_message(letter).send()


def _reset_message(letter: users.ResetLetter) -> EmailMessage:
    told = {
        "letter": letter,
        "token": letter.token,
        "url": settings.PASSWORD_RESET_URL.replace("{token}", letter.token),
        "confirm_url": f"{settings.BASE_URL}/api/v1/auth/password/reset/confirm",
    }
    text = render_to_string("tenants/password_reset.txt", told)
    return EmailMessage(_("A new password for finops"), text, to=[letter.user.email])


def _message(letter: Letter) -> EmailMessage:
    link = settings.INVITATION_URL
    told = {
        "invitation": letter.invitation,
        "tenant": letter.tenant,
        "role": letter.invitation.get_role_display(),
        "token": letter.token,
        "url": link.replace("{token}", letter.token),
        "accept_url": f"{settings.BASE_URL}/api/v1/invitations/accept",
    }
    subject = _("You are invited to %(tenant)s") % {"tenant": " ".join(letter.tenant.name.split())}
    return EmailMessage(subject, render_to_string("tenants/invitation.txt", told), to=[letter.invitation.email])


@shared_task(name="tenants.settle_impersonations", ignore_result=True)
def settle_impersonations() -> None:
    """Have the log tell of impersonations that have ended by themselves; they let nobody look meanwhile."""
    services.settle_impersonations(now=clock.now())


@shared_task(name="tenants.store_request_counts", ignore_result=True)
def store_request_counts() -> None:
    """Add the requests that the limiter has counted to their tenants' days."""
    services.store_request_counts(tally=TALLY)
