"""Signed notes and checkpoints, as transparency logs write them: pure functions over text and keys.

The forms are C2SP's: https://c2sp.org/signed-note (text, signature lines, verifier keys) and
https://c2sp.org/tlog-checkpoint (what the text of a checkpoint says). Signatures are Ed25519 (RFC 8032).
"""

import base64
import binascii
import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "\N{EM DASH}"


class NoteRefused(ValueError):
    """The note is malformed, none of the keys has signed it, or one of them has signed something else."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whose signatures are believed: a name, and the 32 bytes of an Ed25519 public key."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that begin each of its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        """Return it as verifiers take it: name+hash+key."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.public_key)}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under a name; its seed is 32 bytes."""

    name: str
    seed: bytes

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def signature_line(self, text: str) -> str:
        """Return the line that stands under a text."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"{_DASH} {self.name} {_base64(self.verifier.key_id + signature)}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the text of a note commits to: whose log, how many leaves, and the root over them."""

    origin: str
    size: int
    root_hash: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root_hash)}\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the text of a note; lines after the third are extensions, and mean nothing here.

        Raises:
            NoteRefused: it is no checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or not (lines[1].isascii() and lines[1].isdigit()):
            raise NoteRefused("the text is no checkpoint")
        root_hash = _bytes_of(lines[2])
        if len(root_hash) != 32 or str(int(lines[1])) != lines[1]:
            raise NoteRefused("the text is no checkpoint")
        return cls(lines[0], int(lines[1]), root_hash)


def sign(text: str, keys: Collection[SigningKey]) -> str:
    """Return the note of a text that ends with a newline, with a line of each key in their order."""
    return text + "\n" + "".join(key.signature_line(text) for key in keys)


def open_note(note: str, keys: Collection[VerifierKey]) -> str:
    """Return the text of a note that one of the keys has signed; lines of other keys are passed over.

    Raises:
        NoteRefused: see the class.
    """
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise NoteRefused("the note has no signatures")
    text += "\n"
    known = {(key.name, key.key_id): key for key in keys}
    is_signed = False
    for name, signature in _signatures(signatures):
        key = known.get((name, signature[:4]))
        if key is not None:
            _verify(key, signature[4:], text)
            is_signed = True
    if not is_signed:
        raise NoteRefused("no key that is known has signed the note")
    return text


def _signatures(lines: str) -> Iterator[tuple[str, bytes]]:
    for line in lines.removesuffix("\n").split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != _DASH or not parts[1] or len(signature := _bytes_of(parts[2])) < 5:
            raise NoteRefused("a signature line is malformed")
        yield parts[1], signature


def _verify(key: VerifierKey, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text.encode())
    except InvalidSignature as error:
        raise NoteRefused(f"the signature of {key.name} is not of this text") from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteRefused("what should be base64 is not") from error
