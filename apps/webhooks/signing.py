"""Secrets and signatures as Standard Webhooks has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from uuid import UUID

from apps.core import crypto
from apps.webhooks.models import EndpointSecret

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_key() -> bytes:
    """Return a new signing key."""
    return os.urandom(SECRET_BYTES)


def shown(key: bytes) -> str:
    """Return a key as the client gets it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(key).decode()


def seal(key: bytes, *, tenant_id: UUID, endpoint_id: UUID) -> tuple[bytes, str]:
    """Return the key's ciphertext, bound to the endpoint, and the id of the installation's key that it is under."""
    ciphertext = crypto.encrypt(key, bound_to=EndpointSecret.bound_to(tenant_id, endpoint_id))
    return ciphertext, crypto.key_id_of(ciphertext)


def open_sealed(ciphertext: bytes | memoryview, *, tenant_id: UUID, endpoint_id: UUID) -> bytes:
    """Return the key.

    Raises:
        DecryptionFailed: the ciphertext was altered, moved, or the installation's key is gone.
    """
    return crypto.decrypt(bytes(ciphertext), bound_to=EndpointSecret.bound_to(tenant_id, endpoint_id))


def sign(message_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]) -> str:
    """Return `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over "id.timestamp.body", one for each key."""
    content = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)
