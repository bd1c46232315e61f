"""Encryption of fields at rest: AES-256-GCM under rotatable keys, bound to the row by associated data."""

import base64
import binascii
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES = 12


class DecryptionFailed(Exception):
    """The ciphertext was altered, belongs to another row, or its key is gone."""


@lru_cache(maxsize=4)
def parse_keys(text: str) -> dict[str, bytes]:
    """Return {id: 32 bytes} from "id:base64,id:base64"; the first is the current key.

    Raises:
        ValueError: a part is malformed, a key is not 32 bytes, or there is none.
    """
    keys: dict[str, bytes] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ValueError(f"key {key_id!r} is not base64") from error
        if not key_id.isalnum() or len(key) != 32:
            raise ValueError(f"key {key_id!r} must be id:base64 of 32 bytes")
        keys[key_id] = key
    if not keys:
        raise ValueError("no key is given")
    return keys


def current_key_id() -> str:
    """Return the id of the key that encrypts now."""
    return next(iter(parse_keys(settings.FIELD_KEYS)))


def encrypt(plaintext: bytes, *, bound_to: str) -> bytes:
    """Return `key id | nonce | ciphertext`, encrypted under the current key.

    `bound_to` names the row ("table:tenant:id"); the ciphertext cannot be moved to another one.
    """
    key_id = current_key_id()
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(parse_keys(settings.FIELD_KEYS)[key_id]).encrypt(nonce, plaintext, bound_to.encode())
    return key_id.encode() + b"|" + nonce + sealed


def decrypt(ciphertext: bytes, *, bound_to: str) -> bytes:
    """Return the plaintext.

    Raises:
        DecryptionFailed: see the class.
    """
    key_id, _, sealed = bytes(ciphertext).partition(b"|")
    key = parse_keys(settings.FIELD_KEYS).get(key_id.decode("ascii", "replace"))
    if key is None:
        raise DecryptionFailed(f"the key {key_id!r} is not configured")
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
    except InvalidTag as error:
        raise DecryptionFailed("the ciphertext does not belong here or was altered") from error
