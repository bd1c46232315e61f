"""The form of an API key.

A key is `fop_<mode>_`, 43 random base62 characters (256 bits), 6 characters of CRC32. The checksum lets typos and
truncated keys be refused without a query, and secret scanners be sure of a hit.
"""

import re
import secrets
import string
import zlib

from apps.core.tokens import TokenKind
from apps.tenants.enums import ApiKeyMode

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 43
_CHECKSUM_LENGTH = 6
_PREFIX_LENGTH = len(f"{TokenKind.API_KEY}live_") + 6
_FORM = re.compile(rf"{TokenKind.API_KEY}(?:live|test)_[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")


def new_secret(mode: ApiKeyMode) -> str:
    """Return a new API key."""
    body = f"{TokenKind.API_KEY}{mode.value}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + checksum(body)


def is_well_formed(secret: str) -> bool:
    """Tell whether a text has the form of an API key and its checksum holds."""
    if _FORM.fullmatch(secret) is None:
        return False
    return checksum(secret[:-_CHECKSUM_LENGTH]) == secret[-_CHECKSUM_LENGTH:]


def shown_prefix(secret: str) -> str:
    """Return the part of an API key by which people recognise it."""
    return secret[:_PREFIX_LENGTH]


def checksum(body: str) -> str:
    """Return the CRC32 of a key's body as 6 base62 characters, most significant first."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
