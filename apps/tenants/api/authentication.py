"""Authentication of API requests: an API key or an access token, as a bearer."""

from ipaddress import IPv6Address, ip_address
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.core import clock, context
from apps.core.errors import AuthenticationRequired
from apps.core.tokens import TokenKind
from apps.tenants import selectors
from apps.tenants.types import Principal
from apps.users.types import Origin


class BearerAuthentication(BaseAuthentication):
    """Put a Principal on `request.auth`, at the cost of one query; there is no `request.user`.

    Without the header a request is anonymous. Credentials that are bad are refused even where none are needed.
    """

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        impersonated: Principal | None = getattr(request._request, "impersonation", None)
        if impersonated is not None:
            return None, impersonated
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _space, credentials = header.partition(" ")
        if scheme.lower() != "bearer" or not credentials:
            raise AuthenticationRequired(_("Send credentials as: Authorization: Bearer <API key or access token>."))
        if credentials.startswith(TokenKind.IMPERSONATION):
            raise AuthenticationRequired(_("The impersonation is over, or there is none with this token."))
        origin, is_api_key = origin_of(request), credentials.startswith(TokenKind.API_KEY)
        find = selectors.get_api_key_principal if is_api_key else selectors.get_token_principal
        return None, find(credentials, ip=origin.ip, request_id=origin.request_id, now=clock.now())

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="finops"'


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the OpenAPI document about the bearer."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key (`fop_…`) or an access token."}


def origin_of(request: Request | HttpRequest) -> Origin:
    """Return where a request comes from: the peer's address, since a forwarded one could be forged."""
    return Origin(
        request_id=context.current().request_id,
        ip=_normal_address(request.META.get("REMOTE_ADDR", "")),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
    )


def principal_of(request: Request) -> Principal:
    """Return who sends an authenticated request."""
    assert isinstance(request.auth, Principal)
    return request.auth


def _normal_address(text: str) -> str:
    """Return an address in the form that networks are compared in; empty when there is none (a Unix socket)."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    # A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
