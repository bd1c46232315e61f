"""Whose JWT proves that Plaid has sent a webhook."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from apps.providers.adapters.plaid.webhook import VerificationKeys, verify
from apps.providers.hooks import HookRejected

pytestmark = pytest.mark.no_database

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BODY = b'{"webhook_type": "TRANSACTIONS", "webhook_code": "SYNC_UPDATES_AVAILABLE"}'
OURS, THEIRS = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def jwk_of(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    return {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "key-1", "alg": "ES256", "use": "sig"}


class Plaid:
    """Answers for one key; counts how often it is asked."""

    def __init__(self, **more: Any) -> None:
        self.key, self.asked = {**jwk_of(OURS), "expired_at": None, **more}, 0

    def __call__(self, key_id: str) -> dict[str, Any] | None:
        self.asked += 1
        return self.key if key_id == "key-1" else None


def token(*, key: Any = OURS, body: bytes = BODY, at: datetime = NOW, alg="ES256", kid="key-1", **claims) -> str:
    content = {"iat": int(at.timestamp()), "request_body_sha256": hashlib.sha256(body).hexdigest(), **claims}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({k: v for k, v in content.items() if v is not None}, key, algorithm=alg, headers=headers)


def code_of(header: str, *, keys: VerificationKeys | None = None, body: bytes = BODY, now: datetime = NOW) -> str:
    try:
        verify(header, body, keys=keys or VerificationKeys(Plaid()), now=now)
    except HookRejected as rejected:
        return rejected.code
    return ""


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_what_plaid_signed_for_this_body_is_accepted(seconds):
    assert code_of(token(at=NOW + timedelta(seconds=seconds))) == ""


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "malformed_signature"),
        ("a.b.c", "malformed_signature"),
        (token(kid=None), "malformed_signature"),
        (token(kid="../x"), "malformed_signature"),
        (token(key=None, alg="none"), "malformed_signature"),
        (token(key="a shared secret that is long enough", alg="HS256"), "malformed_signature"),
        (token(kid="key-2"), "unknown_key"),
        (token(key=THEIRS), "bad_signature"),
        (token(body=BODY + b" "), "bad_signature"),
        (token(request_body_sha256=None), "bad_signature"),
        (token(request_body_sha256=""), "bad_signature"),
        (token(iat=None), "bad_signature"),
        (token(iat=True), "stale_signature"),
        (token(at=NOW - timedelta(seconds=301)), "stale_signature"),
        (token(at=NOW + timedelta(seconds=301)), "stale_signature"),
    ],
)
def test_everything_else_is_refused(header, code):
    assert code_of(header) == code


def test_a_key_is_asked_for_once_a_day():
    plaid = Plaid()
    keys = VerificationKeys(plaid)
    for hours in (0, 1, 23):
        at = NOW + timedelta(hours=hours)
        assert code_of(token(at=at), keys=keys, now=at) == ""
    assert plaid.asked == 1
    plaid.key["expired_at"] = 1_772_452_800
    late = NOW + timedelta(hours=24)
    assert code_of(token(at=late), keys=keys, now=late) == "unknown_key"


def test_invented_keys_do_not_make_us_ask_without_end_and_a_known_one_stays_good():
    plaid = Plaid()
    keys = VerificationKeys(plaid)
    assert code_of(token(), keys=keys) == ""
    assert {code_of(token(kid=f"key-x{number}"), keys=keys) for number in range(20)} == {"unknown_key"}
    assert plaid.asked == 2
    assert code_of(token(), keys=keys) == ""
