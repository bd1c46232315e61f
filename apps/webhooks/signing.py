"""Keys and signatures as Standard Webhooks has them: `v1` by HMAC-SHA256, `v1a` by Ed25519.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.core import crypto
from apps.webhooks.enums import Signing
from apps.webhooks.models import EndpointSecret
from apps.webhooks.types import SigningKey

SECRET_PREFIX, PUBLIC_PREFIX = "whsec_", "whpk_"
SECRET_BYTES = 32
# In the order in which they are signed, the last one with the signatures.
SIGNED_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def new_key(kind: str = Signing.SYMMETRIC) -> SigningKey:
    """Return a new signing key; of both kinds any 32 bytes are one."""
    return SigningKey(Signing(kind), os.urandom(SECRET_BYTES))


def shown(key: SigningKey) -> str:
    """Return a key as the client gets it: `whsec_` and base64; empty, if it is for signing alone and stays here."""
    return SECRET_PREFIX + base64.b64encode(key.key).decode() if key.kind == Signing.SYMMETRIC else ""


def public_key_of(key: SigningKey) -> str:
    """Return what anybody can check the key's signatures with: `whpk_` and base64; empty for a shared secret."""
    if key.kind == Signing.SYMMETRIC:
        return ""
    return PUBLIC_PREFIX + base64.b64encode(_ed25519(key.key).public_key().public_bytes_raw()).decode()


def seal(value: bytes, *, tenant_id: UUID, endpoint_id: UUID, kind: str) -> tuple[bytes, str]:
    """Return a value's ciphertext, bound to the endpoint, and the id of the installation's key that it is under."""
    ciphertext = crypto.encrypt(value, bound_to=EndpointSecret.bound_to(tenant_id, endpoint_id, kind))
    return ciphertext, crypto.key_id_of(ciphertext)


def open_sealed(ciphertext: bytes | memoryview, *, tenant_id: UUID, endpoint_id: UUID, kind: str) -> bytes:
    """Return the value.

    Raises:
        DecryptionFailed: the ciphertext was altered, moved, or the installation's key is gone.
    """
    return crypto.decrypt(bytes(ciphertext), bound_to=EndpointSecret.bound_to(tenant_id, endpoint_id, kind))


def sign(message_id: str, timestamp: int, body: bytes, keys: Iterable[SigningKey]) -> str:
    """Return `webhook-signature`: for each key one of "id.timestamp.body", its version and base64."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(signature_of(content, key) for key in keys)


def signature_of(content: bytes, key: SigningKey) -> str:
    """Return the signature of what is signed by one key: its version and base64."""
    if key.kind == Signing.SYMMETRIC:
        return "v1," + base64.b64encode(hmac.digest(key.key, content, hashlib.sha256)).decode()
    return "v1a," + base64.b64encode(_ed25519(key.key).sign(content)).decode()


@lru_cache(maxsize=1_000)
def _ed25519(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)
