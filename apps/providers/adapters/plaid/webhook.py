"""Verifies Plaid's webhooks. Source: https://plaid.com/docs/api/webhooks/webhook-verification/.

`Plaid-Verification` is a JWT, signed with ES256 by a key whose id is in its header; `/webhook_verification_key/get`
tells the key. Its claims are `iat` and `request_body_sha256`.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from jwt.algorithms import ECAlgorithm

from apps.providers.hooks import HookRejected

WINDOW_SECONDS = 300
# Asks Plaid for a key by its id: the `key` of its answer, None where it knows none.
FetchKey = Callable[[str], Mapping[str, Any] | None]

_ALGORITHM = "ES256"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_CLAIMS = {"require": ["iat", "request_body_sha256"], "verify_iat": False, "verify_exp": False, "verify_nbf": False}


class VerificationKeys:
    """Plaid's keys, each asked for once a day: a key that has expired at Plaid ends here within that time.

    Whoever invents key ids makes us ask Plaid; so unknown ones are asked for once in some seconds, together.
    """

    KEPT_FOR = timedelta(days=1)
    BETWEEN_UNKNOWN = timedelta(seconds=5)
    MOST = 100

    def __init__(self, fetch: FetchKey) -> None:
        self._fetch = fetch
        self._known: dict[str, tuple[Mapping[str, Any], datetime]] = {}
        self._failed_at: datetime | None = None

    def find(self, key_id: str, *, now: datetime) -> Mapping[str, Any]:
        """Return a key as JSON Web Key.

        Raises:
            HookRejected: Plaid has none of this id, or has expired it, or unknown ones were asked for too often.
        """
        key, until = self._known.get(key_id, ({}, now))
        if until > now:
            return key
        if self._failed_at is not None and now < self._failed_at + self.BETWEEN_UNKNOWN:
            raise HookRejected("unknown_key", "unknown keys were asked for a moment ago")
        found = self._fetch(key_id)
        if found is None or found.get("expired_at"):
            self._failed_at = now
            self._known.pop(key_id, None)
            raise HookRejected("unknown_key", "Plaid has no such key, or has expired it")
        if len(self._known) >= self.MOST:
            self._known.clear()
        self._known[key_id] = found, now + self.KEPT_FOR
        return found


def verify(token: str, body: bytes, *, keys: VerificationKeys, now: datetime) -> None:
    """Accept a `Plaid-Verification` header: signed by Plaid within five minutes, before or after, for this body.

    Raises:
        HookRejected: no proof.
    """
    key = keys.find(_key_id(token), now=now)
    try:
        claims = jwt.decode(token, ECAlgorithm.from_jwk(dict(key)), algorithms=[_ALGORITHM], options=_CLAIMS)  # type: ignore[arg-type]
    except (jwt.InvalidTokenError, jwt.InvalidKeyError) as error:
        raise HookRejected("bad_signature", f"the token does not verify: {type(error).__name__}") from error
    issued = claims["iat"]
    if isinstance(issued, bool) or not isinstance(issued, int) or abs(now.timestamp() - issued) > WINDOW_SECONDS:
        raise HookRejected("stale_signature", "the signature is too old or too new")
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), str(claims["request_body_sha256"]).encode()):
        raise HookRejected("bad_signature", "the token is for another body")


def _key_id(token: str) -> str:
    """Return the key's id of a token that claims the one algorithm that Plaid uses."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise HookRejected("malformed_signature", "the header is no JWT") from error
    key_id = header.get("kid")
    if header.get("alg") != _ALGORITHM or not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise HookRejected("malformed_signature", "the token is not signed as Plaid signs")
    return key_id
