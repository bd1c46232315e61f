"""Tokens that are shown once, known by their beginning and kept as a hash."""

import hashlib
import secrets
from enum import StrEnum


class TokenKind(StrEnum):
    """How each kind of token begins, so that people, secret scanners and our logs recognise it."""

    API_KEY = "fop_"
    INVITATION = "foi_"
    REFRESH = "for_"
    IMPERSONATION = "fos_"
    PASSWORD_RESET = "fow_"  # noqa: S105  (a beginning)


def new_token(kind: TokenKind) -> str:
    """Return a token of a kind with 256 random bits."""
    return kind + secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 under which a random token is stored.

    A slow hash would protect nothing: 112 random bits and more cannot be guessed, not even from the hash (OWASP ASVS
    5.0, 6.5.2).
    """
    return hashlib.sha256(token.encode()).digest()
