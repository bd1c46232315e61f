"""Refresh tokens are opaque; access tokens are JWTs that rotatable keys sign."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest

from apps.core.errors import AuthenticationRequired
from apps.core.tokens import TokenKind, hash_token, new_token
from apps.users import tokens
from apps.users.models import Session
from apps.users.types import AccessClaims

pytestmark = pytest.mark.no_database

USER = UUID("01990000-0000-7000-8000-000000000001")
TENANT = UUID("01990000-0000-7000-8000-000000000002")
SESSION = UUID("01990000-0000-7000-8000-000000000003")
OLD, NEW = b"old-key-of-exactly-32-bytes-....", b"new-key-of-exactly-32-bytes-...."
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def keys(**named: bytes) -> str:
    return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in named.items())


def a_session() -> Session:
    return Session(id=SESSION, user_id=USER, tenant_id=TENANT)


def forge(key: bytes = OLD, *, kid: str = "old", typ: str = "at+jwt", algorithm: str = "HS256", **changes: Any) -> str:
    claims = {
        "iss": "finops",
        "aud": "finops:api",
        "sub": str(USER),
        "tenant": str(TENANT),
        "sid": str(SESSION),
        "iat": 1772452800,
        "exp": 1772453400,
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": kid, "typ": typ}
    return jwt.encode(claims, key if algorithm != "none" else "", algorithm=algorithm, headers=headers)


def without(claim: str) -> str:
    changes: dict[str, Any] = {claim: None}
    return forge(**changes)


def spliced(token: str, other: str) -> str:
    """Put another token's claims under a token's header and signature."""
    header, _claims, signature = token.split(".")
    return f"{header}.{other.split('.')[1]}.{signature}"


@pytest.fixture(autouse=True)
def old_key(settings: Any) -> None:
    settings.TOKEN_KEYS = keys(old=OLD)


def test_a_refresh_token_is_opaque_and_has_256_bits() -> None:
    token = new_token(TokenKind.REFRESH)
    assert token.startswith("for_")
    assert len(base64.urlsafe_b64decode(token.removeprefix("for_") + "=")) == 32
    assert token != new_token(TokenKind.REFRESH)
    assert hash_token(token) == hashlib.sha256(token.encode()).digest()


def test_an_access_token_says_who_where_and_until_when() -> None:
    token = tokens.sign_access_token(a_session(), now=NOW)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "old", "typ": "at+jwt"}
    options: Any = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, OLD, algorithms=["HS256"], audience="finops:api", options=options) == {
        "iss": "finops",
        "aud": "finops:api",
        "sub": str(USER),
        "tenant": str(TENANT),
        "sid": str(SESSION),
        "iat": 1772452800,
        "exp": 1772453400,
    }
    assert tokens.read_access_token(token, now=NOW) == AccessClaims(USER, TENANT, SESSION)


def test_it_is_good_for_ten_minutes() -> None:
    token = tokens.sign_access_token(a_session(), now=NOW)
    assert tokens.read_access_token(token, now=NOW + timedelta(seconds=599)).session_id == SESSION
    with pytest.raises(AuthenticationRequired, match="The access token has expired"):
        tokens.read_access_token(token, now=NOW + timedelta(seconds=600))


def test_the_first_key_signs_and_all_verify(settings: Any) -> None:
    before = tokens.sign_access_token(a_session(), now=NOW)
    settings.TOKEN_KEYS = keys(new=NEW, old=OLD)
    after = tokens.sign_access_token(a_session(), now=NOW)
    assert jwt.get_unverified_header(after)["kid"] == "new"
    assert tokens.read_access_token(before, now=NOW) == tokens.read_access_token(after, now=NOW)


def test_a_key_that_is_gone_verifies_nothing(settings: Any) -> None:
    token = tokens.sign_access_token(a_session(), now=NOW)
    settings.TOKEN_KEYS = keys(new=NEW)
    with pytest.raises(AuthenticationRequired):
        tokens.read_access_token(token, now=NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not.a.token",
        forge(NEW),
        forge(kid="unknown"),
        forge(algorithm="none"),
        spliced(forge(), forge(tenant=str(USER))),
        forge(typ="JWT"),
        forge(iss="someone-else"),
        forge(aud="another-service"),
        forge(aud=["finops"]),
        forge(sub="not-a-uuid"),
        *[without(claim) for claim in ("iss", "aud", "sub", "tenant", "sid", "iat", "exp")],
        forge(exp="later"),
        forge()[:-2],
    ],
)
def test_anything_else_is_refused(token: str) -> None:
    with pytest.raises(AuthenticationRequired, match="The access token is not valid"):
        tokens.read_access_token(token, now=NOW)


@pytest.mark.filterwarnings("ignore:The HMAC key is 32 bytes long")
def test_another_algorithm_is_refused_with_the_right_key_too() -> None:
    with pytest.raises(AuthenticationRequired, match="The access token is not valid"):
        tokens.read_access_token(forge(algorithm="HS512"), now=NOW)


def test_the_forgery_of_these_tests_is_good_when_nothing_is_changed() -> None:
    assert tokens.read_access_token(forge(), now=NOW) == AccessClaims(USER, TENANT, SESSION)
