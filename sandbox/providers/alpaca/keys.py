"""Make and check API keys: every well-formed paper key with its right secret is an account of its own."""

import base64
import hmac
import re
import string
from typing import Any

from aiohttp import web

from sandbox.providers.alpaca.wire import digest

KEY = re.compile(r"PK[A-Z0-9]{18}")
KEY_LETTERS = string.ascii_uppercase + string.digits
SECRET_LETTERS = string.ascii_letters + string.digits


class KeyRing:
    """Derive keys and secrets from the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def credentials(self, label: str) -> dict[str, str]:
        """Return the key and the secret of the customer called `label`."""
        key = f"PK{_letters(KEY_LETTERS, 18, self._seed, 'key', label)}"
        return {"key_id": key, "secret_key": self._secret(key)}

    def is_right(self, key: object, secret: object) -> bool:
        """Tell whether a key is well-formed and a secret is its own."""
        if not isinstance(key, str) or not isinstance(secret, str) or not KEY.fullmatch(key):
            return False
        return hmac.compare_digest(secret.encode(), self._secret(key).encode())

    def key_of(self, request: web.Request) -> str | None:
        """Return the key that a request proves to have: in Alpaca's headers, or in HTTP's basic form."""
        key, secret = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if key is None:
            key, secret = _basic(request.headers.get("Authorization", ""))
        return key if self.is_right(key, secret) else None

    def _secret(self, key: str) -> str:
        return _letters(SECRET_LETTERS, 40, self._seed, "secret", key)


def _basic(header: str) -> tuple[str | None, str | None]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None, None
    return key, secret


def _letters(letters: str, length: int, *parts: Any) -> str:
    raw = digest(*parts) + digest(*parts, "more")
    return "".join(letters[byte % len(letters)] for byte in raw[:length])
