"""Signatures of the form `t=<unix time>,v1=<hex>[,v1=<hex>]`: HMAC-SHA256 over "{t}.{raw body}".

Teller's (https://teller.io/docs/api/webhooks, "Verifying Messages") and Stripe's
(https://docs.stripe.com/webhooks/signature, "Verify manually").
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from apps.providers.hooks import HookRejected

_MOST_SIGNATURES = 10


def sign(body: bytes, *, secret: str, at: int) -> str:
    """Return the hex signature of a body at a unix time."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def verify(header: str, body: bytes, *, secrets: Sequence[str], window_seconds: int, now: datetime) -> None:
    """Accept a header when any of its signatures is by any of our secrets, so that either side may hold two.

    The time must lie within the window, before or after.

    Raises:
        HookRejected: no proof. An empty secret proves nothing.
    """
    usable = [secret for secret in secrets if secret]
    if not usable:
        raise HookRejected("no_signing_secret", "no signing secret is configured")
    at, signatures = _parse(header)
    if abs(now.timestamp() - at) > window_seconds:
        raise HookRejected("stale_signature", "the signature is too old or too new")
    expected = [sign(body, secret=secret, at=at).encode() for secret in usable]
    # Every pair is compared, in constant time each, so that timing tells nothing about which one failed.
    matches = [hmac.compare_digest(given.encode(), own) for given in signatures for own in expected]
    if not any(matches):
        raise HookRejected("bad_signature", "no signature matches")


def _parse(header: str) -> tuple[int, list[str]]:
    """Return unix time and signatures; members of other names are for other versions."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        raise HookRejected("malformed_signature", "the signature has no single time")
    if not 1 <= len(signatures) <= _MOST_SIGNATURES:
        raise HookRejected("malformed_signature", "the signature has no, or too many, signatures")
    return int(times[0]), signatures
