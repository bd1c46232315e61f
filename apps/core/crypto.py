"""Encryption of fields at rest: AES-256-GCM under rotatable keys, bound to the row by associated data."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.core import keyrings

_NONCE_BYTES = 12


class DecryptionFailed(Exception):
    """The ciphertext was altered, belongs to another row, or its key is gone."""


def current_key_id() -> str:
    """Return the id of the key that encrypts now."""
    return keyrings.current_key_id("FIELD_KEYS")


def key_id_of(ciphertext: bytes) -> str:
    """Return the id of the key that a ciphertext is under.

    Beside what was just encrypted it says more than `current_key_id`, which may have changed since.
    """
    return bytes(ciphertext).partition(b"|")[0].decode("ascii", "replace")


def encrypt(plaintext: bytes, *, bound_to: str) -> bytes:
    """Return `key id | nonce | ciphertext`, encrypted under the current key.

    `bound_to` names the row ("table:tenant:id"); the ciphertext cannot be moved to another one.
    """
    key_id, key = next(iter(keyrings.keys_of("FIELD_KEYS").items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext, bound_to.encode())
    return key_id.encode() + b"|" + nonce + sealed


def decrypt(ciphertext: bytes, *, bound_to: str) -> bytes:
    """Return the plaintext.

    Raises:
        DecryptionFailed: see the class.
    """
    key_id, sealed = key_id_of(ciphertext), bytes(ciphertext).partition(b"|")[2]
    key = keyrings.keys_of("FIELD_KEYS").get(key_id)
    if key is None:
        raise DecryptionFailed(f"the key {key_id!r} is not configured")
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
    except InvalidTag as error:
        raise DecryptionFailed("the ciphertext does not belong here or was altered") from error
