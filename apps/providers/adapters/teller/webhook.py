"""Verifies and reads Teller's webhooks. Source: https://teller.io/docs/api/webhooks, "Verifying Messages"."""

from datetime import datetime

import msgspec
from django.conf import settings

from apps.providers.adapters import signatures
from apps.providers.hooks import EventId, EventName, HookEvent, HookSpec, OpenCredentials, read_body

WINDOW_SECONDS = 180
# What changes something at the bank. A lost enrolment, too, is for the next sync to find: the provider's own answer
# says whether it is lost still, however late or often the webhook comes.
_WANT_SYNC = {"transactions.processed", "enrollment.disconnected"}


class _Payload(msgspec.Struct):
    enrollment_id: str = ""


class _Event(msgspec.Struct):
    id: EventId
    type: EventName
    timestamp: datetime
    payload: _Payload


def _judge(signature: str, body: bytes, _credentials: OpenCredentials, now: datetime) -> None:
    # Teller's signing secrets are the application's, not an enrolment's; it signs with each that has not expired.
    secrets = settings.TELLER_WEBHOOK_SECRETS
    signatures.verify(signature, body, secrets=secrets, window_seconds=WINDOW_SECONDS, now=now)


def _parse(body: bytes) -> HookEvent:
    event = read_body(body, _Event)
    return HookEvent(
        id=event.id,
        type=event.type,
        enrollment_id=event.payload.enrollment_id,
        wants="sync" if event.type in _WANT_SYNC else "nothing",
    )


HOOK = HookSpec(header="Teller-Signature", judge=_judge, parse=_parse)
