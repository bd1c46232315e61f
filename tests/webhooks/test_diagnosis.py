"""Each mistake that people make with signatures is told apart, and what is right is called right."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.webhooks.diagnosis import Key, Sample, diagnose, is_right, parse_headers, parse_secret
from apps.webhooks.enums import Signing
from apps.webhooks.signing import shown, sign
from apps.webhooks.types import SigningKey

pytestmark = pytest.mark.no_database

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ID = "019c1d80-7000-7000-8000-000000000001"
AT = int(NOW.timestamp())
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
PAIR = SigningKey(Signing.ASYMMETRIC, KEY)
BODY = '{"type":"order.filled","timestamp":"2026-03-02T12:00:00Z","data":{"id":"ü","side":"buy","fee":"0"}}'.encode()


def shared(key: bytes) -> SigningKey:
    return SigningKey(Signing.SYMMETRIC, key)


KEYS = [Key("The current secret", shared(KEY))]


def headers(*keys: bytes, body: bytes = BODY, **changed: str) -> dict[str, str]:
    signature = sign(ID, AT, body, [shared(key) for key in keys or (KEY,)])
    found = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": signature}
    return found | {name.replace("_", "-"): value for name, value in changed.items()}


def codes(sample: Sample, keys: list[Key] = KEYS, now: datetime = NOW) -> list[str]:
    return [step.code for step in diagnose(sample, keys, now=now)]


def wrongs(sample: Sample, keys: list[Key] = KEYS, now: datetime = NOW) -> list[str]:
    return [step.code for step in diagnose(sample, keys, now=now) if step.outcome == "wrong"]


def test_a_genuine_request_is_right_step_by_step() -> None:
    steps = diagnose(Sample(headers=headers(), body=BODY, sent=BODY), KEYS, now=NOW)
    assert [(step.code, step.outcome) for step in steps] == [
        ("headers_are_there", "right"),
        ("timestamp_is_fresh", "right"),
        ("body_is_as_sent", "right"),
        ("signature_matches", "right"),
    ]
    assert steps[-1].text == "The current secret made signature 1 of 1: the request is genuine and unchanged."
    assert is_right(steps)


def test_it_is_told_which_secret_made_which_signature() -> None:
    keys = [Key("The current secret", shared(OTHER)), Key("The secret before, in its grace,", shared(KEY))]
    (text,) = [
        step.text
        for step in diagnose(Sample(headers=headers(b"x" * 32, KEY), body=BODY), keys, now=NOW)
        if step.code == "signature_matches"
    ]
    assert text == "The secret before, in its grace, made signature 2 of 2: the request is genuine and unchanged."


def test_names_of_headers_are_of_any_case_and_lines_are_read_as_pasted() -> None:
    pasted = "POST /hook HTTP/1.1\r\nHost: x\r\n" + "\n".join(f"{k.title()}:  {v} " for k, v in headers().items())
    assert wrongs(Sample(headers=parse_headers(pasted), body=BODY)) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Missing: webhook-id, webhook-timestamp, webhook-signature."),
        ({"webhook-id": ID, "webhook-timestamp": " "}, "Missing: webhook-timestamp, webhook-signature."),
        ({"svix-id": ID}, "Ours begin with “webhook-”, not with “svix-”."),
    ],
)
def test_missing_headers_are_named_and_nothing_else_is_said(given: dict[str, str], said: str) -> None:
    (step,) = diagnose(Sample(headers=given, body=BODY), KEYS, now=NOW)
    assert (step.code, step.outcome) == ("headers_are_missing", "wrong")
    assert said in step.text


@pytest.mark.parametrize(
    ("age", "code"),
    [
        (0, "timestamp_is_fresh"),
        (300, "timestamp_is_fresh"),
        (301, "timestamp_is_old"),
        (-300, "timestamp_is_fresh"),
        (-301, "timestamp_is_ahead"),
    ],
)
def test_the_time_has_a_tolerance_of_five_minutes(age: int, code: str) -> None:
    steps = diagnose(Sample(headers=headers(), body=BODY), KEYS, now=NOW + timedelta(seconds=age))
    assert steps[1].code == code
    assert steps[-1].code == "signature_matches"
    assert is_right(steps) == (code != "timestamp_is_ahead")  # an old one may have been pasted late


@pytest.mark.parametrize("time", ["2026-03-02T12:00:00Z", "soon", "-5", "1" * 14])
def test_a_time_that_is_none_is_told(time: str) -> None:
    assert wrongs(Sample(headers=headers(webhook_timestamp=time), body=BODY)) == [
        "timestamp_is_no_time",
        "signature_does_not_match",
    ]


def test_milliseconds_are_told_from_seconds() -> None:
    sample = Sample(headers=headers(webhook_timestamp=f"{AT}000"), body=BODY)
    assert wrongs(sample) == ["timestamp_is_no_time", "timestamp_was_changed"]


REWRITTEN: list[tuple[Callable[[Any], bytes], str]] = [
    (lambda _told: BODY + b"\n", "body_has_a_trailing_newline"),
    (lambda _told: BODY + b"\r\n", "body_has_a_trailing_newline"),
    (lambda _told: b"\xef\xbb\xbf" + BODY, "body_has_a_byte_order_mark"),
    (lambda told: json.dumps(told).encode(), "body_was_reserialised"),
    (lambda told: json.dumps(told, ensure_ascii=False).encode(), "body_was_reserialised"),
    (lambda told: json.dumps(told, indent=2).encode(), "body_was_reserialised"),
    (
        lambda told: json.dumps(json.dumps(told, separators=(",", ":"), ensure_ascii=False)).encode(),
        "body_was_reserialised",
    ),
    (lambda told: json.dumps(told).encode() + b"\n", "body_was_reserialised"),
    (lambda _told: BODY.replace(b"buy", b"sell"), "signature_does_not_match"),
]


@pytest.mark.parametrize(("rewrite", "code"), REWRITTEN)
def test_what_became_of_the_body_is_told(rewrite: Callable[[Any], bytes], code: str) -> None:
    body = rewrite(json.loads(BODY))
    assert wrongs(Sample(headers=headers(), body=body)) == [code]


def test_sorted_keys_are_put_back_into_the_databases_order() -> None:
    data = b'{"id":"1","fee":"0","side":"buy","venue":[{"b":1,"aa":2}]}'
    body = b'{"type":"t","timestamp":"2026-03-02T12:00:00Z","data":' + data + b"}"
    sorted_ = json.dumps(json.loads(body), sort_keys=True).encode()
    assert wrongs(Sample(headers=headers(body=body), body=sorted_)) == ["body_was_reserialised"]


def test_where_it_is_known_what_was_sent_a_changed_body_is_told_to_the_byte() -> None:
    changed = BODY.replace(b"buy", b"bUy")
    steps = diagnose(Sample(headers=headers(), body=changed, sent=BODY), KEYS, now=NOW)
    told = {step.code: step.text for step in steps if step.outcome == "wrong"}
    assert list(told) == ["body_is_not_as_sent", "body_was_changed"]
    place = BODY.index(b"buy") + 2
    assert told["body_is_not_as_sent"] == (
        f"The body is not what we sent: it differs from byte {place} of {len(BODY)} on; yours has {len(BODY)}."
    )
    pretty = json.dumps(json.loads(BODY), indent=2).encode()
    assert wrongs(Sample(headers=headers(), body=pretty, sent=BODY)) == ["body_is_not_as_sent", "body_was_reserialised"]


def test_an_id_under_which_nothing_was_sent_is_told() -> None:
    assert wrongs(Sample(headers=headers(), body=BODY, sent=None)) == ["id_is_unknown"]


@pytest.mark.parametrize("changed", [f'"{ID}"', ID.upper()])
def test_an_id_that_was_changed_is_told(changed: str) -> None:
    assert wrongs(Sample(headers=headers(webhook_id=changed), body=BODY)) == ["id_was_changed"]
    assert wrongs(Sample(headers=headers(webhook_id=ID[:-1] + "2"), body=BODY)) == ["signature_does_not_match"]


def test_another_secret_fits_nothing() -> None:
    assert wrongs(Sample(headers=headers(OTHER), body=BODY)) == ["signature_does_not_match"]
    assert wrongs(Sample(headers=headers(), body=BODY), keys=[]) == ["no_secret"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (lambda v1: v1.removeprefix("v1,"), ["signature_has_no_version"]),
        (lambda v1: v1.replace("v1,", "v2,"), ["signature_has_no_version"]),
        (lambda v1: v1[:-4], ["signature_is_no_base64"]),
        (lambda v1: "v1," + base64.b64decode(v1[3:]).hex(), ["signature_is_no_base64"]),
        (lambda v1: "v1,", ["signature_is_no_base64"]),
        (lambda v1: f"{v1[:-4]} {v1}", ["signature_is_no_base64"]),
        (lambda v1: f"v1a,AAAA {v1}", ["signature_is_no_base64"]),
        (lambda v1: f"v3,AAAA {v1}", ["signature_has_no_version"]),
    ],
)
def test_how_signatures_are_written(written: Callable[[str], str], expected: list[str]) -> None:
    signature = headers()["webhook-signature"]
    assert wrongs(Sample(headers=headers(webhook_signature=written(signature)), body=BODY)) == expected


def test_a_signature_by_a_pair_of_keys_is_checked_with_it() -> None:
    signature = sign(ID, AT, BODY, [PAIR])
    assert signature.startswith("v1a,")
    sample = Sample(headers=headers(webhook_signature=signature), body=BODY, computed=signature)
    assert wrongs(sample, keys=[Key("The current key", PAIR)]) == []
    assert wrongs(sample) == ["signature_does_not_match", "code_is_wrong"]
    with_newline = Sample(headers=headers(webhook_signature=signature), body=BODY + b"\n")
    assert wrongs(with_newline, keys=[Key("The current key", PAIR)]) == ["body_has_a_trailing_newline"]


SECRET = shown(shared(KEY))


@pytest.mark.parametrize(
    ("written", "expected", "has_key"),
    [
        (SECRET, [], True),
        (f" {SECRET}\n", ["secret_has_spaces"], True),
        (SECRET.removeprefix("whsec_"), ["secret_without_prefix"], True),
        ("whsec_" + base64.urlsafe_b64encode(b"\xfb" * 32).decode(), ["secret_is_url_safe"], False),
        (SECRET[:-5], ["secret_is_no_base64"], False),
        ("whsec_" + base64.b64encode(KEY[:24]).decode(), ["secret_has_another_length"], False),
        ("whsec_" + KEY.hex(), ["secret_has_another_length"], False),
        ("", ["secret_without_prefix", "secret_has_another_length"], False),
    ],
)
def test_how_a_secret_is_written(written: str, expected: list[str], has_key: bool) -> None:
    key, steps = parse_secret(written)
    assert ([step.code for step in steps], key) == (expected, shared(KEY) if has_key else None)


CONTENT = f"{ID}.{AT}.".encode() + BODY


def _b64(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


@pytest.mark.parametrize(
    ("computed", "code"),
    [
        (_b64(KEY, CONTENT), "code_is_right"),
        ("v1," + _b64(KEY, CONTENT), "code_is_right"),
        (hmac.digest(KEY, CONTENT, hashlib.sha256).hex(), "code_signs_in_hex"),
        (_b64(SECRET.encode(), CONTENT), "code_uses_the_secrets_text"),
        (hmac.digest(SECRET.encode(), CONTENT, hashlib.sha256).hex(), "code_uses_the_secrets_text"),
        (_b64(SECRET.removeprefix("whsec_").encode(), CONTENT), "code_does_not_decode_the_secret"),
        (_b64(KEY, BODY), "code_signs_the_body_alone"),
        (_b64(KEY, f"{AT}.".encode() + BODY), "code_leaves_the_id_out"),
        (_b64(KEY, f"{ID}.".encode() + BODY), "code_leaves_the_time_out"),
        (_b64(KEY, f"{ID}{AT}".encode() + BODY), "code_leaves_the_dots_out"),
        (_b64(KEY, CONTENT + b"\n"), "code_signs_a_trailing_newline"),
        (_b64(KEY, f"{ID}.{AT}.{json.dumps(json.loads(BODY))}".encode()), "code_reserialises_the_body"),
        (_b64(OTHER, CONTENT), "code_is_wrong"),
    ],
)
def test_what_code_does_instead_is_told(computed: str, code: str) -> None:
    step = diagnose(Sample(headers=headers(), body=BODY, computed=computed), KEYS, now=NOW)[-1]
    assert (step.code, step.outcome) == (code, "right" if code == "code_is_right" else "wrong")


def test_no_text_repeats_the_secret_or_the_body() -> None:
    samples = [Sample(headers=headers(), body=rewrite(json.loads(BODY)), computed="x") for rewrite, _code in REWRITTEN]
    texts = [step.text for sample in samples for step in diagnose(sample, KEYS, now=NOW)]
    texts += [step.text for step in parse_secret(SECRET[:-5])[1]]
    assert not [text for text in texts if SECRET[6:20] in text or "order.filled" in text]


@pytest.mark.parametrize(
    "body",
    [
        '{"said":"\\ud83d"}',
        "[" * 100_000,
        '{"type":1,"timestamp":1,"data":' + '{"a":' * 980 + "1" + "}" * 981,
        "9" * 5_000,
    ],
    ids=["half a character", "nested without an end", "nested deeply", "a huge number"],
)
def test_a_body_that_no_writer_has_written_is_just_not_ours(body: str) -> None:
    sample = Sample(headers=headers(), body=body.encode(), computed="v1,AAAA")
    assert wrongs(sample) == ["signature_does_not_match", "code_is_wrong"]


def test_a_mistake_that_is_made_many_times_is_told_once() -> None:
    assert wrongs(Sample(headers=headers(webhook_signature="v1,AA " * 600), body=BODY)) == ["signature_is_no_base64"]
