"""Verifies and reads Teller's webhooks. Source: https://teller.io/docs/api/webhooks, "Verifying Messages"."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from django.conf import settings

from apps.providers.adapters import signatures
from apps.providers.adapters.signatures import sign
from apps.providers.hooks import HookEvent, HookRejected, HookSpec, OpenCredentials

__all__ = ["HOOK", "TellerEvent", "parse_event", "sign", "verify"]

WINDOW_SECONDS = 180
# What changes something at the bank. A lost enrolment, too, is for the next sync to find: the provider's own answer
# says whether it is lost still, however late or often the webhook comes.
_WANT_SYNC = {"transactions.processed", "enrollment.disconnected"}

_Name = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,100}$")]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,200}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TellerEvent:
    """An event. `enrollment_id`, `account_id`, `reason` and `account_status` are "" where the type has none."""

    id: str
    type: str
    at: datetime
    enrollment_id: str = ""
    account_id: str = ""
    reason: str = ""
    account_status: str = ""


class _Payload(msgspec.Struct):
    enrollment_id: str = ""
    account_id: str = ""
    reason: str = ""
    status: str = ""


class _Body(msgspec.Struct):
    id: _Id
    type: _Name
    timestamp: datetime
    payload: _Payload


def verify(header: str, body: bytes, *, secrets: Sequence[str], now: datetime) -> None:
    """Accept a `Teller-Signature` header; Teller signs with every secret that has not expired.

    Raises:
        HookRejected: no proof.
    """
    signatures.verify(header, body, secrets=secrets, window_seconds=WINDOW_SECONDS, now=now)


def parse_event(body: bytes) -> TellerEvent:
    """Return the event of a verified body.

    Raises:
        HookRejected: it is not an event as documented.
    """
    try:
        event = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HookRejected("unreadable_event", f"the body is not an event: {error}") from error
    payload = event.payload
    return TellerEvent(
        id=event.id,
        type=event.type,
        at=event.timestamp,
        enrollment_id=payload.enrollment_id,
        account_id=payload.account_id,
        reason=payload.reason,
        account_status=payload.status,
    )


def _judge(signature: str, body: bytes, _credentials: OpenCredentials, now: datetime) -> None:
    # Teller's signing secrets are the application's, not an enrolment's.
    verify(signature, body, secrets=settings.TELLER_WEBHOOK_SECRETS, now=now)


def _parse(body: bytes) -> HookEvent:
    event = parse_event(body)
    return HookEvent(
        id=event.id,
        type=event.type,
        enrollment_id=event.enrollment_id,
        wants="sync" if event.type in _WANT_SYNC else "nothing",
    )


HOOK = HookSpec(header="Teller-Signature", judge=_judge, parse=_parse)
