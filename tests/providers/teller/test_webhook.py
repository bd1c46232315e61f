"""Who may tell us about a Teller enrolment."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.providers.adapters.signatures import sign
from apps.providers.adapters.teller.webhook import HOOK
from apps.providers.hooks import HookRejected

pytestmark = pytest.mark.no_database

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
BODY = b'{"id":"wh_1","type":"webhook.test","timestamp":"2026-03-02T12:00:00Z","payload":{}}'


def header(*secrets: str, at: int = AT, body: bytes = BODY) -> str:
    return ",".join([f"t={at}", *[f"v1={sign(body, secret=secret, at=at)}" for secret in secrets]])


@pytest.fixture
def verify(settings: Any) -> Any:
    def verify(signature: str, body: bytes, *, secrets: list[str]) -> None:
        settings.TELLER_WEBHOOK_SECRETS = secrets
        HOOK.judge(signature, body, dict, NOW)

    return verify


def test_the_signature_is_hmac_sha256_over_time_dot_body():
    # Computed with `printf '1772452800.{}' | openssl dgst -sha256 -hmac s3cret`.
    expected = "a5ac58aa0492bea1aab733184fe6d19e232c47c0f7f3d0c02bc5f0b49e1f0a7d"
    assert sign(b"{}", secret="s3cret", at=1772452800) == expected


def test_a_signed_body_is_accepted(verify):
    verify(header("s3cret"), BODY, secrets=["s3cret"])


@pytest.mark.parametrize(("theirs", "ours"), [(["new", "old"], ["old"]), (["new"], ["old", "new"])])
def test_during_a_rotation_any_pair_may_match(verify, theirs, ours):
    verify(header(*theirs), BODY, secrets=ours)


@pytest.mark.parametrize("seconds", [-180, 180])
def test_the_window_reaches_three_minutes_either_way(verify, seconds):
    verify(header("s3cret", at=AT + seconds), BODY, secrets=["s3cret"])


@pytest.mark.parametrize("seconds", [-181, 181])
def test_beyond_the_window_is_refused(verify, seconds):
    with pytest.raises(HookRejected, match="too old or too new"):
        verify(header("s3cret", at=AT + seconds), BODY, secrets=["s3cret"])


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_an_empty_secret_proves_nothing(verify, secrets):
    with pytest.raises(HookRejected, match="no signing secret"):
        verify(header(""), BODY, secrets=secrets)


def test_an_empty_secret_beside_a_real_one_is_not_used(verify):
    with pytest.raises(HookRejected, match="no signature matches"):
        verify(header(""), BODY, secrets=["s3cret", ""])


def test_an_altered_body_is_refused(verify):
    with pytest.raises(HookRejected, match="no signature matches"):
        verify(header("s3cret"), BODY + b" ", secrets=["s3cret"])


def test_a_signature_of_another_time_is_refused(verify):
    moved = header("s3cret", at=AT).replace(f"t={AT}", f"t={AT + 1}")
    with pytest.raises(HookRejected, match="no signature matches"):
        verify(moved, BODY, secrets=["s3cret"])


@pytest.mark.parametrize(
    "value",
    [
        "",
        "t=1",
        "v1=00",
        f"t={AT}",
        f"t={AT},t={AT},v1=00",
        f"t=+{AT},v1=00",
        "t=٣,v1=00",
        f"t={AT},v0=00",
        "t=9999999999999,v1=00",
        f"t={AT}," + ",".join(["v1=00"] * 11),
        f"t={AT},v1=é",
    ],
)
def test_a_malformed_header_is_refused(verify, value):
    with pytest.raises(HookRejected):
        verify(value, BODY, secrets=["s3cret"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":1}', b"\xff", b"[" * 100_000])
def test_what_is_not_an_event_is_refused(body):
    with pytest.raises(HookRejected):
        HOOK.parse(body)


def test_event_of_a_microdeposit():
    event = HOOK.parse(
        b'{"id":"wh_2","type":"account.number_verification.processed","timestamp":"2026-03-02T12:00:00Z",'
        b'"payload":{"account_id":"acc_1","status":"completed"}}'
    )
    assert (event.id, event.enrollment_id, event.wants) == ("wh_2", "", "nothing")
