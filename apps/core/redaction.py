"""Keeps secrets out of logs, stored exchanges and error messages."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "[redacted]"

_SECRET_NAMES = re.compile(
    r"(password|secret|token|authorization|api[_-]?key|credential|cookie|private[_-]?key|signature|\botp\b|ciphertext)",
    re.IGNORECASE,
)
# Ours (API keys, refresh tokens, invitations, webhook secrets), JWTs, Teller tokens, and what stands behind a scheme.
_SECRET_VALUES = re.compile(
    r"(fop_(?:live|test)_[A-Za-z0-9]+|fo[ri]_[A-Za-z0-9_-]{20,}|whsec_[A-Za-z0-9+/=]+|test_tkn_[A-Za-z0-9_-]+"
    r"|token_[a-z0-9]{12,}|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
    r"|(?<=Bearer )[\w.~+/=-]{16,}|(?<=Basic )[\w+/=-]{16,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@))"
)


def redact_text(text: str) -> str:
    """Mask everything in a text that looks like a secret of ours or of a provider."""
    return _SECRET_VALUES.sub(MASK, text)


def redact(value: Any) -> Any:
    """Return a copy of JSON-like data in which secrets, by name or by look, are masked."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list):
        return [redact(item) for item in value]
    if isinstance(value, Mapping):
        return {key: MASK if _SECRET_NAMES.search(str(key)) and item else redact(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [redact(item) for item in value]
    return value
