"""Says step by step why a request's signature does not fit, or that it does. Pure: nothing is read, kept or logged.

No text of it repeats the secret or the body.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.utils.translation import gettext as _

from apps.core.unset import UNSET, Unset
from apps.webhooks import guesses
from apps.webhooks.enums import Signing
from apps.webhooks.guesses import Signed
from apps.webhooks.signing import SECRET_BYTES, SECRET_PREFIX, SIGNED_HEADERS
from apps.webhooks.types import SigningKey

# What receivers are told to allow for, clocks and retries of their proxies included.
TOLERANCE_SECONDS = 300
Outcome = Literal["right", "wrong", "notice"]
# HMAC-SHA256 and Ed25519.
_SIGNATURE_BYTES = {"v1": 32, "v1a": 64}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: `code` is stable, `text` is for people, with what to do about it."""

    code: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key that may have signed, and what people call it."""

    name: str
    key: SigningKey


# A body that was sent; None: nothing was sent under the id; UNSET: nobody has looked.
Sent = bytes | None | Unset


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request as its receiver has it. `sent` is the body that we sent under its id.

    `computed` is the signature that the receiver's own code has made of it, where it tells.
    """

    headers: Mapping[str, str]
    body: bytes
    sent: Sent = UNSET
    computed: str = ""


def parse_headers(text: str) -> dict[str, str]:
    """Return the headers of pasted lines `name: value`; lines of another form are passed over."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _colon, value in pairs}


def parse_secret(text: str) -> tuple[SigningKey | None, list[Step]]:
    """Return a secret's key, None where it has none, and what is wrong with how it is written."""
    stripped = text.strip()
    steps = []
    if stripped != text:
        steps.append(_wrong("secret_has_spaces", _("There are spaces or a line's end around the secret: remove them.")))
    if not stripped.startswith(SECRET_PREFIX):
        steps.append(_notice("secret_without_prefix", _("The secret was pasted without its beginning “whsec_”.")))
    encoded = stripped.removeprefix(SECRET_PREFIX)
    if re.search(r"[-_]", encoded):
        text = _("The secret is in URL-safe base64 (- and _): we use + and /. Copy it as it was shown.")
        return None, [*steps, _wrong("secret_is_url_safe", text)]
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        text = _("What follows “whsec_” is not base64: a part is missing, or something was added.")
        return None, [*steps, _wrong("secret_is_no_base64", text)]
    if len(key) != SECRET_BYTES:
        text = _("The secret holds %(count)s bytes, ours hold 32: a part is missing, or it is another one.")
        return None, [*steps, _wrong("secret_has_another_length", text % {"count": len(key)})]
    return SigningKey(Signing.SYMMETRIC, key), steps


def diagnose(sample: Sample, keys: Sequence[Key], *, now: datetime) -> list[Step]:
    """Return what is right and what is wrong with a request, in the order in which a receiver checks it."""
    headers = {name.lower(): value for name, value in sample.headers.items()}
    missing = [name for name in SIGNED_HEADERS if not headers.get(name, "").strip()]
    if missing:
        return [_missing(missing, headers)]
    steps = [_right("headers_are_there", _("The three headers are there."))]
    message_id, timestamp, signatures = (headers[name].strip() for name in SIGNED_HEADERS)
    steps.append(_of_time(timestamp, now))
    entries, problems = _entries(signatures)
    steps += problems
    if not isinstance(sample.sent, Unset):
        steps.append(_of_sent(sample.body, sample.sent))
    signed = Signed(message_id, timestamp, sample.body)
    match = _match(signed, entries, keys)
    if match is not None:
        name, place = match
        text = _("%(key)s made signature %(place)s of %(count)s: the request is genuine and unchanged.")
        values = {"key": name, "place": place + 1, "count": len(entries)}
        steps.append(_right("signature_matches", text % values))
    elif entries:
        sent = sample.sent if isinstance(sample.sent, bytes) else None
        steps += _of_mismatch(signed, entries, keys, sent)
    elif not any(step.outcome == "wrong" for step in problems):
        steps.append(_wrong("signature_is_missing", _("There is no signature to check.")))
    if sample.computed.strip():
        steps.append(_of_computed(signed, sample.computed.strip(), keys))
    return steps


def is_right(steps: Sequence[Step]) -> bool:
    """Tell whether a receiver would take the request."""
    return all(step.outcome != "wrong" for step in steps)


def _missing(missing: Sequence[str], headers: Mapping[str, str]) -> Step:
    text = _("Missing: %(names)s.") % {"names": ", ".join(missing)}
    if any(name.startswith("svix-") for name in headers):
        text += " " + _("Ours begin with “webhook-”, not with “svix-”.")
    else:
        text += " " + _("A proxy may have dropped them, or your framework shows them under other names.")
    return _wrong("headers_are_missing", text)


def _of_time(timestamp: str, now: datetime) -> Step:
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        is_milliseconds = re.fullmatch(r"[0-9]{13}", timestamp)
        hint = _("It is in milliseconds.") if is_milliseconds else _("It must be copied as it came.")
        text = _("webhook-timestamp is not seconds since 1970 (UTC).")
        return _wrong("timestamp_is_no_time", f"{text} {hint}")
    age = int(now.timestamp()) - int(timestamp)
    if age > TOLERANCE_SECONDS:
        text = _(
            "It was sent %(age)s seconds ago, and receivers take 300: of course, if it was pasted later; else your "
            "server's clock is ahead. Each retry is signed anew, with its own time."
        )
        return Step("timestamp_is_old", "notice", text % {"age": age})
    if age < -TOLERANCE_SECONDS:
        text = _("Its time is %(age)s seconds ahead of ours. Copy it as it came; if it did, say so to us.")
        return _wrong("timestamp_is_ahead", text % {"age": -age})
    return _right("timestamp_is_fresh", _("It was sent %(age)s seconds ago.") % {"age": max(age, 0)})


def _entries(signatures: str) -> tuple[list[str], list[Step]]:
    """Return the well-formed signatures in `webhook-signature`, and what is wrong with how the others are written."""
    found, problems = [], []
    for entry in signatures.split():
        version, comma, encoded = entry.partition(",")
        if not comma or version not in _SIGNATURE_BYTES:
            text = _("A signature does not begin with “v1,”: signatures are parted by spaces, each “v1,” and base64.")
            problems.append(_wrong("signature_has_no_version", text))
        elif not _is_base64(encoded, _SIGNATURE_BYTES[version]):
            text = _("What follows “v1,” is not the base64 of a signature: it is hexadecimal, cut off, or changed.")
            problems.append(_wrong("signature_is_no_base64", text))
        else:
            found.append(entry)
    return found, list(dict.fromkeys(problems))


def _is_base64(encoded: str, length: int) -> bool:
    try:
        return len(base64.b64decode(encoded, validate=True)) == length
    except (binascii.Error, ValueError):
        return False


def _match(signed: Signed, entries: Sequence[str], keys: Sequence[Key]) -> tuple[str, int] | None:
    for key in keys:
        expected = signed.by(key.key)
        for place, entry in enumerate(entries):
            if hmac.compare_digest(expected, entry):
                return key.name, place
    return None


def _of_sent(body: bytes, sent: bytes | None) -> Step:
    if sent is None:
        text = _(
            "Nothing was sent to this endpoint under this webhook-id: copy it as it came, or look at the endpoint "
            "that it was sent to."
        )
        return _wrong("id_is_unknown", text)
    if sent == body:
        return _right("body_is_as_sent", _("The body is byte for byte what we sent."))
    place = next(guesses.differences(sent, body))
    text = _("The body is not what we sent: it differs from byte %(place)s of %(ours)s on; yours has %(yours)s.")
    values = {"place": place + 1, "ours": len(sent), "yours": len(body)}
    return _wrong("body_is_not_as_sent", text % values)


def _of_mismatch(signed: Signed, entries: Sequence[str], keys: Sequence[Key], sent: bytes | None) -> Iterator[Step]:
    if not keys:
        yield _wrong("no_secret", _("There is no secret to check with."))
        return
    for guess in guesses.of_request(signed, sent):
        if _match(guess.signed, entries, keys) is not None:
            yield _wrong(guess.code, guess.text)
            return
    text = _(
        "No signature fits: the secret is another one (of another endpoint, or before its rotation), or the id, "
        "the time or the body was changed. Take the raw body, before anything parses it."
    )
    yield _wrong("signature_does_not_match", text)


def _of_computed(signed: Signed, computed: str, keys: Sequence[Key]) -> Step:
    given = computed.rpartition(",")[2]
    if any(given == signed.by(key.key).rpartition(",")[2] for key in keys):
        return _right("code_is_right", _("Your code computes the right signature."))
    for shared in (key.key for key in keys if key.key.kind == Signing.SYMMETRIC):
        for guess in guesses.of_code(signed, shared):
            if given in guess.encodings:
                return _wrong(guess.code, str(guess.text))
    text = _(
        "What your code computes fits none of the usual mistakes: compare what it signs, byte by byte, with "
        "“id.timestamp.body”."
    )
    return _wrong("code_is_wrong", text)


def _right(code: str, text: str) -> Step:
    return Step(code, "right", text)


def _wrong(code: str, text: str) -> Step:
    return Step(code, "wrong", text)


def _notice(code: str, text: str) -> Step:
    return Step(code, "notice", text)
