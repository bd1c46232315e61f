"""Keeps secrets out of logs, stored exchanges and error messages."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from apps.core.tokens import TokenKind

MASK = "[redacted]"

_SECRET_NAMES = re.compile(
    r"(password|secret|token|authorization|api[_-]?key|credential|cookie|private[_-]?key|signature|\botp\b|ciphertext)",
    re.IGNORECASE,
)
# Ours (API keys, tokens of sessions, invitations, impersonations and resets, webhook secrets), JWTs, Teller tokens, and
# what stands behind a scheme.
_SECRET_VALUES = re.compile(
    rf"((?:{'|'.join(TokenKind)})[A-Za-z0-9_-]{{20,}}|fop_(?:live|test)_[A-Za-z0-9]+"
    r"|wh(?:sec|sk)_[A-Za-z0-9+/=]+|test_tkn_[A-Za-z0-9_-]+"
    r"|token_[a-z0-9]{12,}|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{16,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@))"
)
# A member of an object, JSON's or Python's, and a field of a form, in a text that may be cut off.
_SECRET_MEMBERS = re.compile(
    rf"""(?P<before>(?P<quote>["'])[\w.-]*{_SECRET_NAMES.pattern}[\w.-]*(?P=quote)\s*:\s*)"""
    r"""(?:"(?:[^"\\]|\\.)+"?|'(?:[^'\\]|\\.)+'?|-?\d[\w.+-]*)""",
    re.IGNORECASE,
)
_SECRET_FIELDS = re.compile(
    rf"(?P<before>(?<![\w.-])[\w.-]*{_SECRET_NAMES.pattern}[\w.-]*=)[^\s&;,\"'<>]+", re.IGNORECASE
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# Card numbers, in groups of four or in none, and IBANs: only with the right check digits.
_CARD = re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\w-]|\.\d)")
_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![\w-])")


# The shortest that any of these patterns takes: `whsec_` and a character; and an IBAN, which is shorter than a card.
_SHORTEST_SECRET, _SHORTEST_NUMBER = 7, 12


def redact_text(text: str) -> str:
    """Mask what looks like a secret of ours or of a provider, an e-mail address, a card number or an IBAN."""
    if "@" in text:
        text = _EMAIL.sub(MASK, _SECRET_VALUES.sub(MASK, text))
    elif len(text) < _SHORTEST_SECRET:
        return text  # most of what a change consists of
    else:
        text = _SECRET_VALUES.sub(MASK, text)
    if len(text) < _SHORTEST_NUMBER:
        return text
    text = _CARD.sub(lambda found: MASK if _is_card(found[0]) else found[0], text)
    return _IBAN.sub(lambda found: MASK if _is_iban(found[0]) else found[0], text)


def redact_body(text: str) -> str:
    """Mask in somebody's answer, which nobody parses, what stands under a secret's name, too."""
    text = _SECRET_MEMBERS.sub(rf"\g<before>\g<quote>{MASK}\g<quote>", text)
    return redact_text(_SECRET_FIELDS.sub(rf"\g<before>{MASK}", text))


def _is_card(text: str) -> bool:
    """Check Luhn's digit (ISO/IEC 7812-1)."""
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    return sum(sum(divmod(digit * (1 + place % 2), 10)) for place, digit in enumerate(digits)) % 10 == 0


def _is_iban(text: str) -> bool:
    """Check the remainder of 97 (ISO 13616)."""
    plain = text.replace(" ", "")
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def redact(value: Any) -> Any:
    """Return a copy of JSON-like data in which secrets, by name or by look, are masked."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list):
        return [redact(item) for item in value]
    if isinstance(value, Mapping):
        return dict(_redact_member(key, item) for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [redact(item) for item in value]
    return value


def _redact_member(key: Any, item: Any) -> tuple[Any, Any]:
    if not isinstance(key, str):
        return redact(key), MASK if _SECRET_NAMES.search(str(key)) and item else redact(item)
    name, is_secret = _redact_name(key)
    return name, MASK if is_secret and item else redact(item)


@lru_cache(maxsize=1024)
def _redact_name(name: str) -> tuple[str, bool]:
    """Return a member's name as it may be shown, and whether its value may not: nearly always the same few."""
    return redact_text(name), _SECRET_NAMES.search(name) is not None
