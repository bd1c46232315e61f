"""Verifies and reads Teller's webhooks. Source: https://teller.io/docs/api/webhooks, "Verifying Messages"."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

WINDOW_SECONDS = 180
_MOST_SIGNATURES = 10


class WebhookRejected(Exception):
    """The request does not prove that it comes from Teller, or is not an event."""


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
    id: str
    type: str
    timestamp: datetime
    payload: _Payload


def sign(body: bytes, *, secret: str, at: int) -> str:
    """Return the hex signature of a body at a unix time."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def verify(header: str, body: bytes, *, secrets: Sequence[str], now: datetime) -> None:
    """Accept a `Teller-Signature` header when any of its signatures is by any of our secrets.

    Teller signs with every secret that has not expired, so that either side may hold two during a rotation.
    The time must lie within three minutes, before or after.

    Raises:
        WebhookRejected: no proof. An empty secret proves nothing.
    """
    usable = [secret for secret in secrets if secret]
    if not usable:
        raise WebhookRejected("no signing secret is configured")
    at, signatures = _parse(header)
    if abs(now.timestamp() - at) > WINDOW_SECONDS:
        raise WebhookRejected("the signature is too old or too new")
    expected = [sign(body, secret=secret, at=at).encode() for secret in usable]
    # Every pair is compared, in constant time each, so that timing tells nothing about which one failed.
    matches = [hmac.compare_digest(given.encode(), own) for given in signatures for own in expected]
    if not any(matches):
        raise WebhookRejected("no signature matches")


def parse_event(body: bytes) -> TellerEvent:
    """Return the event of a verified body.

    Raises:
        WebhookRejected: it is not an event as documented.
    """
    try:
        event = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WebhookRejected(f"the body is not an event: {error}") from error
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


def _parse(header: str) -> tuple[int, list[str]]:
    """Return unix time and signatures of "t=...,v1=...,v1=..."; members of other names are for other versions."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        raise WebhookRejected("the signature has no single time")
    if not 1 <= len(signatures) <= _MOST_SIGNATURES:
        raise WebhookRejected("the signature has no, or too many, signatures")
    return int(times[0]), signatures
