"""How deliveries and their attempts look in the admin."""

import json
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.admin import NOTHING, chip, duration, moment, two_lines, whole_characters
from apps.core.admin.panels import Tone
from apps.core.redaction import redact, redact_text
from apps.webhooks.enums import DeliveryStatus
from apps.webhooks.models import Delivery, DeliveryAttempt, Endpoint


def short_url(url: str) -> str:
    """Return where an endpoint is, without what comes in every one of them."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"[:80]


def where(endpoint: Endpoint) -> SafeString:
    """Return an endpoint's place, and what its owner calls it."""
    return two_lines(short_url(endpoint.url), endpoint.description)


def answer_chip(attempt: DeliveryAttempt) -> SafeString:
    """Return what an attempt brought: the answer's status, or why there was none."""
    if attempt.status_code is None:
        return chip(attempt.error or _("no answer"), "bad")
    tone: Tone = "ok" if not attempt.error else ("bad" if attempt.status_code >= 500 else "warn")
    return chip(str(attempt.status_code), tone)


def took(attempt: DeliveryAttempt) -> str:
    """Return how long an attempt took."""
    return duration(timedelta(milliseconds=attempt.duration_ms))


def last_answer(attempts: Sequence[DeliveryAttempt]) -> SafeString:
    """Return the latest attempt's answer and its duration."""
    if not attempts:
        return NOTHING
    latest = attempts[-1]
    return format_html("{} <small>{}</small>", answer_chip(latest), took(latest))


def readable(said: str) -> str:
    """Return what a receiver said without what looks like a secret, by its name where it is JSON."""
    try:
        return whole_characters(json.dumps(redact(json.loads(said)), ensure_ascii=False))
    except (ValueError, RecursionError):  # the latter for what is nested a thousand times
        return redact_text(said)


def excerpt(attempt: DeliveryAttempt) -> SafeString:
    """Return the beginning of what the receiver said, without what looks like a secret."""
    if not attempt.response_excerpt:
        return NOTHING
    text = readable(attempt.response_excerpt)
    return format_html('<span class="fo-excerpt" title="{}">{}</span>', text, text[:160])


def next_attempt(delivery: Delivery) -> str:
    """Return when a delivery is sent next: one that is due has no time but now."""
    if delivery.status != DeliveryStatus.PENDING:
        return NOTHING
    now = clock.now()
    if delivery.leased_until is not None and delivery.leased_until > now:
        return _("being sent")
    if delivery.next_attempt_at is None:
        return _("after an earlier one")
    return moment(delivery.next_attempt_at) if delivery.next_attempt_at > now else _("due now")
