"""Celery's way in: sending, woken after events were relayed, what beat looks after, recoveries and letters."""

from datetime import timedelta
from typing import Any

from celery import shared_task, signals
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from apps.core import clock
from apps.jobs import shutdown
from apps.jobs.registry import handles
from apps.jobs.types import Lease
from apps.webhooks import services
from apps.webhooks.selectors.letters import Letter, find_letter
from apps.webhooks.sending import Station
from apps.webhooks.types import RECOVER, SEND_NOTICE

# A bound on one run; what is left is the next one's.
ROUNDS = 100

_station = Station(stopping=shutdown.has_begun)


@shared_task(name="webhooks.deliver")
def deliver() -> None:
    """Have this process's sender look at the queue; it is started with the first of these."""
    _station.poke()


@signals.worker_process_shutdown.connect
def _stop_sending(**_signal: Any) -> None:
    _station.stop()


@shared_task(name="webhooks.forget_secrets")
def forget() -> None:
    """Delete the secrets whose grace is over."""
    after = None
    while True:
        _forgotten, after = services.forget_secrets(now=clock.now(), after=after)
        if after is None:
            return


@shared_task(name="webhooks.forget_deliveries", ignore_result=True)
def forget_deliveries() -> None:
    """Delete deliveries that ended longer ago than FINOPS_WEBHOOKS_KEPT_DAYS, with their attempts."""
    before = clock.now() - timedelta(days=settings.WEBHOOKS_KEPT_DAYS)
    for _round in range(ROUNDS):
        endpoints = services.forgettable_endpoints(before=before)
        for endpoint_id in endpoints:
            services.forget_deliveries(endpoint_id=endpoint_id, before=before)
        if not endpoints:
            return


@shared_task(name="webhooks.look_after_failing")
def look_after_failing() -> None:
    """Give the notices that are due, and give up whom they have not helped."""
    for watched in services.watched_endpoints():
        services.look_after(watched, now=clock.now())


@shared_task(name="webhooks.push_recoveries")
def push_recoveries() -> None:
    """Have the recoveries go on whose jobs are gone."""
    services.push_recoveries(now=clock.now())


@handles(RECOVER)
def continue_recovery(lease: Lease) -> None:
    """Queue the next batch of what an endpoint missed."""
    services.continue_recovery(lease, now=clock.now())


@handles(SEND_NOTICE)
def send_notice(lease: Lease) -> None:
    """Send one letter, unless it has become void. A mail server that fails is tried again."""
    letter = find_letter(lease.tenant_id, lease.payload)
    if letter is not None:
        _message(letter).send()


def _message(letter: Letter) -> EmailMessage:
    told = {"letter": letter, "api": f"{settings.BASE_URL}/api/v1"}
    subject = (
        _("A webhook endpoint was disabled: %(host)s")
        if letter.reason
        else _("A webhook endpoint is failing, notice %(notice)s of %(of)s: %(host)s")
    )
    subject %= {"host": letter.host, "notice": letter.notice, "of": letter.notices}
    return EmailMessage(subject, render_to_string("webhooks/endpoint_notice.txt", told), to=[letter.email])
