"""The access token of a session: short-lived and signed. Its refresh token is an opaque one."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.errors import AuthenticationRequired
from apps.core.keyrings import keys_of
from apps.users.models import Session
from apps.users.types import AccessClaims

ISSUER = "finops"
AUDIENCE = "finops:api"
TOKEN_TYPE = "at+jwt"  # noqa: S105  (RFC 9068)
_ALGORITHM = "HS256"
_CLAIMS = ["iss", "aud", "sub", "tenant", "sid", "iat", "exp"]


def sign_access_token(session: Session, *, now: datetime) -> str:
    """Return a JWT (HS256, RFC 7519) for the session, good for ACCESS_TOKEN_SECONDS."""
    key_id, key = next(iter(keys_of("TOKEN_KEYS").items()))
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(session.user_id),
        "tenant": str(session.tenant_id),
        "sid": str(session.id),
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)).timestamp()),
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": key_id, "typ": TOKEN_TYPE})


def read_access_token(token: str, *, now: datetime) -> AccessClaims:
    """Return the claims of an access token that one of our keys signed and that has not expired.

    Raises:
        AuthenticationRequired: it is not such a token.
    """
    try:
        claims = _verified_claims(token)
        result = AccessClaims(UUID(claims["sub"]), UUID(claims["tenant"]), UUID(claims["sid"]))
        expired = int(claims["exp"]) <= now.timestamp()
    except (jwt.InvalidTokenError, ValueError) as error:
        raise AuthenticationRequired(_("The access token is not valid.")) from error
    if expired:
        raise AuthenticationRequired(_("The access token has expired."))
    return result


def _verified_claims(token: str) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    key = keys_of("TOKEN_KEYS").get(str(header.get("kid")))
    if key is None or header.get("typ") != TOKEN_TYPE:
        raise jwt.InvalidTokenError("unknown key, or another kind of token")
    # The expiry is ours to check, against the clock that the caller passes like everywhere else.
    options: Any = {"require": _CLAIMS, "verify_exp": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=[_ALGORITHM], issuer=ISSUER, audience=AUDIENCE, options=options
    )
    return claims
