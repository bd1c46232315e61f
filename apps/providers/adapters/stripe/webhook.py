"""Verifies and reads Stripe's webhooks. Source: https://docs.stripe.com/webhooks/signature, "Verify manually"."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from apps.providers.adapters import signatures
from apps.providers.hooks import HookEvent, HookRejected, HookSpec, OpenCredentials

WINDOW_SECONDS = 300

_Name = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,100}$")]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,200}$")]


class _Event(msgspec.Struct):
    id: _Id
    type: _Name
    account: str = ""  # the connected account, of events that are about one


def verify(header: str, body: bytes, *, secrets: Sequence[str], now: datetime) -> None:
    """Accept a `Stripe-Signature` header; the time must lie within five minutes, before or after.

    Raises:
        HookRejected: no proof.
    """
    signatures.verify(header, body, secrets=secrets, window_seconds=WINDOW_SECONDS, now=now)


def parse_event(body: bytes) -> HookEvent:
    """Return the event of a verified body.

    Raises:
        HookRejected: it is not an event as documented.
    """
    try:
        event = msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HookRejected("unreadable_event", f"the body is not an event: {error}") from error
    return HookEvent(id=event.id, type=event.type, enrollment_id=event.account, wants="sync")


def _judge(signature: str, body: bytes, credentials: OpenCredentials, now: datetime) -> None:
    # Each endpoint at Stripe has a secret of its own; while it rolls, two, which a comma parts.
    verify(signature, body, secrets=credentials().get("webhook_secrets", "").split(","), now=now)


HOOK = HookSpec(header="Stripe-Signature", judge=_judge, parse=parse_event)
