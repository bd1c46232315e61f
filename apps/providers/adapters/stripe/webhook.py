"""Verifies and reads Stripe's webhooks. Source: https://docs.stripe.com/webhooks/signature, "Verify manually"."""

from datetime import datetime

import msgspec

from apps.providers.adapters import signatures
from apps.providers.hooks import EventId, EventName, HookEvent, HookSpec, OpenCredentials, read_body

WINDOW_SECONDS = 300


class _Event(msgspec.Struct):
    id: EventId
    type: EventName
    account: str = ""  # the connected account, of events that are about one


def _judge(signature: str, body: bytes, credentials: OpenCredentials, now: datetime) -> None:
    # Each endpoint at Stripe has a secret of its own; while it rolls, two, which a comma parts.
    secrets = credentials().get("webhook_secrets", "").split(",")
    signatures.verify(signature, body, secrets=secrets, window_seconds=WINDOW_SECONDS, now=now)


def _parse(body: bytes) -> HookEvent:
    event = read_body(body, _Event)
    return HookEvent(id=event.id, type=event.type, enrollment_id=event.account, wants="sync")


HOOK = HookSpec(header="Stripe-Signature", judge=_judge, parse=_parse)
