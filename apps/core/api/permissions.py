"""The check that a view's method has its permission."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.core import clock, context
from apps.core.decisions import decide
from apps.core.permissions import Permission
from apps.core.principal import Principal

__all__ = ["HasRequiredPermission", "Permission"]


class HasRequiredPermission(BasePermission):
    """Deny unless the view names a permission for the method and the principal has it.

    A view without an entry for its method is denied: forgetting one fails closed. So is a permission that depends on
    the resource, or one to write that was granted for single objects, unless the view says in `judged_with_resource`
    that the method's service asks. A method that the view
    does not take is nobody's to be permitted: a known caller is let through to the 405.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        principal = request.auth
        if not isinstance(principal, Principal):
            return False
        if request.method not in view.allowed_methods:
            return True
        method = "GET" if request.method in ("HEAD", "OPTIONS") else request.method
        required = view.required_permissions.get(method)
        if required is None:
            return False
        decision = decide(principal, required, now=clock.now())
        decision.require()
        is_judged = method in view.judged_with_resource
        if decision.is_limited:
            # What the view reads in its tenant's scope are these objects alone; what is written its service judges.
            context.limit_to(principal.objects_for(required))
            return decision.allowed and (method == "GET" or is_judged)
        return decision.allowed or is_judged
