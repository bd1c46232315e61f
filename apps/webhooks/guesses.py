"""The mistakes that people make with signatures, each as what it makes of a request or of a key."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.webhooks.signing import SECRET_PREFIX, shown, signature_of
from apps.webhooks.types import SigningKey

# Our bodies are far shorter. Each guess writes the body anew, so a longer one would cost its server seconds.
_LONGEST_REWRITTEN = 64 * 1024
_CODE = {
    "code_signs_in_hex": gettext_lazy(
        "Your code is right but for its last step: it writes the signature in hexadecimal, not in base64."
    ),
    "code_uses_the_secrets_text": gettext_lazy(
        "Your code takes the secret's text as the key: remove “whsec_” and decode the rest from base64."
    ),
    "code_does_not_decode_the_secret": gettext_lazy(
        "Your code removes “whsec_” but does not decode the rest from base64."
    ),
    "code_signs_the_body_alone": gettext_lazy("Your code signs the body alone: sign “id.timestamp.body”."),
    "code_leaves_the_id_out": gettext_lazy("Your code leaves the id out: sign “id.timestamp.body”."),
    "code_leaves_the_time_out": gettext_lazy("Your code leaves the time out: sign “id.timestamp.body”."),
    "code_leaves_the_dots_out": gettext_lazy("Your code leaves the dots out: sign “id.timestamp.body”."),
    "code_signs_a_trailing_newline": gettext_lazy("Your code signs the body with a line's end behind it."),
    "code_reserialises_the_body": gettext_lazy(
        "Your code parses the body and writes it anew before it signs it: sign the raw body."
    ),
}


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature is over."""

    id: str
    timestamp: str
    body: bytes

    @property
    def content(self) -> bytes:
        """The bytes that are signed."""
        return f"{self.id}.{self.timestamp}.".encode() + self.body

    def by(self, key: SigningKey) -> str:
        """Return the signature by a key: its version and base64."""
        return signature_of(self.content, key)


@dataclass(frozen=True, slots=True)
class Guess:
    """What the request would have been before a mistake, and what the mistake is."""

    code: str
    text: str
    signed: Signed


@dataclass(frozen=True, slots=True)
class CodeGuess:
    """What a receiver's code computes if it makes a mistake: in base64 and in hexadecimal."""

    code: str
    text: Promise
    encodings: frozenset[str]


def differences(ours: bytes, theirs: bytes) -> Iterator[int]:
    """Yield the places at which two texts of bytes differ."""
    pairs = zip_longest(ours, theirs)
    return (place for place, (one, other) in enumerate(pairs) if one != other)


def of_request(signed: Signed, sent: bytes | None) -> Iterator[Guess]:
    """Yield what the request may have been before somebody changed it."""
    if sent is not None and sent != signed.body:
        text = _("The body that we sent fits the signature, yours does not: take it raw, before anything parses it.")
        yield from _guesses_of_bodies(signed, sent)
        yield Guess("body_was_changed", text, replace(signed, body=sent))
    yield from _guesses_of_bodies(signed, None)
    if re.fullmatch(r"[0-9]{13}", signed.timestamp):
        text = _("The time was turned into milliseconds; the header's own digits are signed.")
        yield Guess("timestamp_was_changed", text, replace(signed, timestamp=signed.timestamp[:10]))
    plain_id = signed.id.strip("\"' ").lower()
    if plain_id != signed.id:
        text = _("The id was changed: quotes, spaces or capital letters came in.")
        yield Guess("id_was_changed", text, replace(signed, id=plain_id))


def of_code(signed: Signed, shared: SigningKey) -> Iterator[CodeGuess]:
    """Yield what code computes that makes one of the usual mistakes, for a shared secret."""
    secret, key = shown(shared), shared.key
    mistakes: list[tuple[str, bytes, bytes]] = [
        ("code_uses_the_secrets_text", secret.encode(), signed.content),
        ("code_does_not_decode_the_secret", secret.removeprefix(SECRET_PREFIX).encode(), signed.content),
        ("code_signs_the_body_alone", key, signed.body),
        ("code_leaves_the_id_out", key, f"{signed.timestamp}.".encode() + signed.body),
        ("code_leaves_the_time_out", key, f"{signed.id}.".encode() + signed.body),
        ("code_leaves_the_dots_out", key, f"{signed.id}{signed.timestamp}".encode() + signed.body),
        ("code_signs_a_trailing_newline", key, signed.content + b"\n"),
    ]
    for form in _json_forms(signed.body):
        mistakes.append(("code_reserialises_the_body", key, replace(signed, body=form).content))
    yield CodeGuess(
        "code_signs_in_hex",
        _CODE["code_signs_in_hex"],
        frozenset({hmac.digest(key, signed.content, hashlib.sha256).hex()}),
    )
    for code, used, content in mistakes:
        digest = hmac.digest(used, content, hashlib.sha256)
        yield CodeGuess(code, _CODE[code], frozenset({base64.b64encode(digest).decode(), digest.hex()}))


def _guesses_of_bodies(signed: Signed, sent: bytes | None) -> Iterator[Guess]:
    """Yield what the body may have been; where it is known what was sent, only how it may have come about."""
    for code, text, body in _bodies(signed.body):
        if sent is None or body == sent:
            yield Guess(code, text, replace(signed, body=body))


def _bodies(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    trailing = _("A line's end was added behind the body, as editors, `echo` and here-documents do.")
    if body != body.rstrip(b"\r\n"):
        yield "body_has_a_trailing_newline", trailing, body.rstrip(b"\r\n")
    if body.startswith(b"\xef\xbb\xbf"):
        yield "body_has_a_byte_order_mark", _("A byte order mark stands before the body."), body[3:]
    reparsed = _(
        "The body was parsed and written anew as JSON: other spaces, other order or other escapes are other "
        "bytes. Check the raw body."
    )
    for form in _json_forms(body):
        yield "body_was_reserialised", reparsed, form


def _json_forms(body: bytes) -> Iterator[bytes]:
    """Yield a JSON text as the usual writers write it, but not as it is; nothing of one that no writer has written."""
    if len(body) > _LONGEST_REWRITTEN:
        return
    try:
        told = json.loads(body)
        if isinstance(told, str):
            told = json.loads(told)  # it was encoded twice
        written = dict.fromkeys(write(told).encode() for write in _WRITERS)
    except (ValueError, RecursionError):  # also halves of characters, and what is nested a thousand times
        return
    yield from (form for form in written if form != body)


def _as_sent(value: Any) -> Any:
    """Return a request's JSON data in our order: `type`, `timestamp`, `data`, and in it as PostgreSQL keeps it."""
    if not isinstance(value, dict) or set(value) != {"type", "timestamp", "data"}:
        return value
    return {"type": value["type"], "timestamp": value["timestamp"], "data": _as_stored(value["data"])}


def _as_stored(value: Any) -> Any:
    """Return JSON data as jsonb orders its keys: by their length in bytes, then by their bytes."""
    if isinstance(value, list):
        return [_as_stored(item) for item in value]
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _as_stored(value[key]) for key in keys}
    return value


_WRITERS: Sequence[Callable[[Any], str]] = (
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    lambda value: json.dumps(value, separators=(",", ":")),
    lambda value: json.dumps(value, ensure_ascii=False),
    json.dumps,
    lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    lambda value: json.dumps(value, indent=2),
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True),
    lambda value: json.dumps(_as_sent(value), separators=(",", ":"), ensure_ascii=False),
)
