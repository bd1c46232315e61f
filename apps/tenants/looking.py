"""What staff who look as a member ask, and that they asked it."""

import re
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from django.http import HttpRequest, QueryDict
from django.urls import resolve

from apps.core import clock, context
from apps.core.api.problems import API_PREFIX
from apps.core.scope import tenant_scope
from apps.tenants.services import record_look
from apps.tenants.types import Principal

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEPT = ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "HTTP_USER_AGENT", "wsgi.url_scheme")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answers to a member: the JSON of its body, and the status."""

    status: int
    data: Any

    @property
    def is_good(self) -> bool:
        """Tell whether it is what was asked for, and no problem."""
        return self.status < 400


def impersonation_of(request: HttpRequest) -> Principal | None:
    """Return the principal of the impersonation that a request is made under, or whose staff user makes it."""
    principal: Principal | None = getattr(request, "impersonation", None)
    return principal


def ask(request: HttpRequest, principal: Principal, path: str, query: QueryDict) -> Answer:
    """Ask the API's own view for what a member sees: same checks, same scope, same serialiser, and recorded."""
    asked: Any = HttpRequest()
    asked.method, asked.GET, asked.path = "GET", query, f"{API_PREFIX}v1/{path}"
    asked.path_info = asked.path
    asked.META = {name: request.META[name] for name in _KEPT if name in request.META}
    asked.impersonation = principal
    asked.resolver_match = view, arguments, named = resolve(asked.path)
    with context.use(replace(context.current(), actor=principal.actor)):
        with tenant_scope(principal.tenant.id):
            response = view(asked, *arguments, **named)
            response.render()
        look(asked, principal, response.status_code)
    request.looked_as = principal  # type: ignore[attr-defined]  # for the request's own log line
    return Answer(response.status_code, msgspec.json.decode(response.content))


def look(request: HttpRequest, principal: Principal, status: int) -> None:
    """Record a request that was made as a member; of its parameters the values are kept that are ids."""
    parameters = ", ".join(
        f"{name}={value}" if _UUID.fullmatch(str(value)) else name for name, value in request.GET.items()
    )
    text = f"{request.method} {request.path}" + (f" ({parameters})" if parameters else "")
    # PostgreSQL keeps no text with a zero in it, and a look that cannot be recorded is not answered.
    told = text.replace("\0", "\N{SYMBOL FOR NULL}")[:500]
    record_look(principal=principal, request=told, status=status, now=clock.now())
