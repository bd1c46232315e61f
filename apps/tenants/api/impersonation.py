"""Requests of staff who look at a tenant as one of its members: by bearer token, or in the admin.

What an impersonation's token asks of the API is answered inside the tenant's scope from beginning to end, as a role of
the database that can read a few tables and change nothing; only what reads is answered at all, and each request is
recorded. Every answer tells that it was given to an impersonation, also an error.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.core import clock, context
from apps.core.api.problems import API_PREFIX, problem_response
from apps.core.errors import ImpersonationReads
from apps.core.scope import tenant_scope
from apps.tenants import selectors, services
from apps.tenants.api.authentication import origin_of
from apps.tenants.impersonation import is_token
from apps.tenants.looking import impersonation_of, look
from apps.tenants.types import Principal
from apps.users.models import User

HEADER = "Finops-Impersonation"
ADMIN_PREFIX = "/admin/"
_READING = ("GET", "HEAD", "OPTIONS")


class ImpersonationMiddleware:
    """Puts the Principal of an impersonation on `request.impersonation`; see the module."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        principal = _by_token(request)
        response = self.get_response(request) if principal is None else self._answer(request, principal)
        shown = principal or impersonation_of(request)
        if shown is not None and shown.impersonation is not None:
            response[HEADER] = str(shown.impersonation.id)
        if hasattr(request, "looked_as"):
            context.set_actor(request.looked_as.actor)
        return response

    def _answer(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        assert principal.tenant is not None
        request.impersonation = principal  # type: ignore[attr-defined]  # for authentication
        context.set_actor(principal.actor)
        if request.method in _READING:
            with tenant_scope(principal.tenant.id):
                response = self.get_response(request)
        else:
            response = problem_response(request, ImpersonationReads())
        look(request, principal, response.status_code)
        return response

    def process_view(self, request: HttpRequest, *_view: Any) -> None:
        """Find, for a page of the admin, what its staff user looks through; no scope is open yet."""
        user: Any = getattr(request, "user", None)
        if request.path.startswith(ADMIN_PREFIX) and isinstance(user, User) and user.is_staff:
            request.impersonation = _live(staff=user, request=request)  # type: ignore[attr-defined]  # for its pages


def _by_token(request: HttpRequest) -> Principal | None:
    scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not is_token(token) or not request.path.startswith(API_PREFIX):
        return None
    return _live(token=token, request=request)


def _live(*, request: HttpRequest, token: str | None = None, staff: User | None = None) -> Principal | None:
    """Return the principal of a live impersonation, unless its staff user has lost the permission or the tenant."""
    origin = origin_of(request)
    found = selectors.find_impersonation(
        token=token,
        staff_id=staff.pk if staff else None,
        ip=origin.ip,
        request_id=origin.request_id,
        now=clock.now(),
    )
    if found is None or found.impersonation is None:
        return None
    staff = staff or User.objects.get(pk=found.impersonation.staff_id)
    return found if services.may_impersonate(staff, found.tenant.id) else None
