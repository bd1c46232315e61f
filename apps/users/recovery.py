"""Recovery codes: written down once, each good once in the place of a code from an authenticator app."""

import base64
import re
import secrets

from apps.core.tokens import hash_token

COUNT = 10
_BYTES = 15  # 120 random bits: twenty-four letters of base32
_SHAPE = re.compile(r"[a-z2-7]{24}")


def new_codes() -> list[str]:
    """Return ten codes in groups of four letters, such as `k3vq-7hza-m2xe-w5no-c4dt-rj6y`."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()) for _ in range(COUNT)]


def is_recovery_code(text: str) -> bool:
    """Tell whether a text has a recovery code's shape, however it is grouped and in whichever case."""
    return _SHAPE.fullmatch(_bare(text)) is not None


def hash_code(code: str) -> str:
    """Return the hash, in hex, under which a code is stored."""
    return hash_token(_bare(code)).hex()


def _bare(code: str) -> str:
    return re.sub(r"[\s-]", "", code).lower()


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
