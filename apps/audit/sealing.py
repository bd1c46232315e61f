"""The sealed form of what a leaf says of a person.

The leaf commits to the ciphertext, so that whoever destroys the subject's key takes the words and leaves the proof. It
also commits to a digest of the plaintext: who is shown that needs nothing but SHA-256 to check it, and the random salt
in front of it keeps names from being guessed from their digests once the key is gone.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.core.canonical import canonical_plain

SALT_BYTES = 32
_NONCE_BYTES = 12


class Unreadable(Exception):
    """The ciphertext was altered, or belongs to another leaf."""


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """An open key, with its id and its subject's as text."""

    id: str
    subject: str
    cipher: AESGCM


@dataclass(frozen=True, slots=True)
class Revealed:
    """The members of a sealed part, and the salt that its digest is over."""

    members: dict[str, Any]
    salt: bytes


def seal(members: Mapping[str, Any], *, key: SubjectKey, entry_id: UUID, part: str) -> dict[str, Any]:
    """Return the sealed form of plain JSON data that belongs to a part (`actor`, `changes`) of one entry.

    AES-256-GCM: `ciphertext` is nonce || ciphertext of salt || RFC 8785 bytes; `digest` is SHA-256 of these. `members`
    names what is sealed: that a name was changed may be known for ever, the name itself not.
    """
    noise = os.urandom(SALT_BYTES + _NONCE_BYTES)
    plaintext, nonce = noise[:SALT_BYTES] + canonical_plain(members), noise[SALT_BYTES:]
    ciphertext = nonce + key.cipher.encrypt(nonce, plaintext, _place(entry_id, part))
    return {
        "subject": key.subject,
        "key": key.id,
        "members": sorted(members),
        "ciphertext": base64.b64encode(ciphertext).decode(),
        "digest": hashlib.sha256(plaintext).hexdigest(),
    }


def reveal(sealed: Mapping[str, Any], *, cipher: AESGCM, entry_id: UUID, part: str) -> Revealed:
    """Return what `seal` sealed.

    Raises:
        Unreadable: see the class.
    """
    try:
        ciphertext = base64.b64decode(sealed["ciphertext"], validate=True)
        nonce, ciphertext = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        plaintext = cipher.decrypt(nonce, ciphertext, _place(entry_id, part))
    except (InvalidTag, binascii.Error, KeyError, TypeError, ValueError) as error:
        raise Unreadable from error
    return Revealed(json.loads(plaintext[SALT_BYTES:]), plaintext[:SALT_BYTES])


def _place(entry_id: UUID, part: str) -> bytes:
    return f"audit_entry:{entry_id}:{part}".encode()
