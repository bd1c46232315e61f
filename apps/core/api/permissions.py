"""The permission names of the API, and the check that a view's method has one."""

from enum import StrEnum
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.core.principal import Principal


class Permission(StrEnum):
    """What a role or an API key may do; `<area>:<read|write>`."""

    TENANT_READ = "tenant:read"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    API_KEYS_READ = "api_keys:read"
    API_KEYS_WRITE = "api_keys:write"
    PROVIDERS_READ = "providers:read"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    ACCOUNTS_READ = "accounts:read"
    TRANSACTIONS_READ = "transactions:read"
    TRANSACTIONS_WRITE = "transactions:write"
    MARKET_READ = "market:read"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    RISK_READ = "risk:read"
    RISK_WRITE = "risk:write"
    KILL_SWITCH_WRITE = "kill_switch:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_READ = "events:read"
    AUDIT_READ = "audit:read"


class HasRequiredPermission(BasePermission):
    """Deny unless the view names a permission for the method and the principal has it.

    A view without an entry for its method is denied: forgetting one fails closed. A method that the view does not
    take is nobody's to be permitted: a known caller is let through to the 405.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method not in view.allowed_methods:
            return isinstance(request.auth, Principal)
        method = "GET" if request.method in ("HEAD", "OPTIONS") else request.method
        required = view.required_permissions.get(method)
        return isinstance(request.auth, Principal) and required is not None and required in request.auth.permissions
