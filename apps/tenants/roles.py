"""What each role may do: one table, read top to bottom."""

from collections.abc import Mapping

from apps.core.permissions import Permission
from apps.tenants.enums import Role

ALL_PERMISSIONS = frozenset(Permission)

_READ_BUSINESS = frozenset(
    {
        Permission.TENANT_READ,
        Permission.PROVIDERS_READ,
        Permission.CONNECTIONS_READ,
        Permission.ACCOUNTS_READ,
        Permission.TRANSACTIONS_READ,
        Permission.MARKET_READ,
        Permission.POSITIONS_READ,
        Permission.ORDERS_READ,
        Permission.RISK_READ,
        Permission.EVENTS_READ,
    }
)

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: ALL_PERMISSIONS,
    Role.ADMIN: ALL_PERMISSIONS,
    # Whoever trades must be able to stop the trading.
    Role.TRADER: _READ_BUSINESS
    | {Permission.TRANSACTIONS_WRITE, Permission.ORDERS_WRITE, Permission.KILL_SWITCH_WRITE},
    Role.ANALYST: _READ_BUSINESS | {Permission.TRANSACTIONS_WRITE, Permission.AUDIT_READ},
    Role.VIEWER: _READ_BUSINESS,
    Role.BILLING: frozenset({Permission.TENANT_READ}),
}


def permissions_of(role: Role) -> frozenset[Permission]:
    """Return what a role may do."""
    return PERMISSIONS[role]


def roles_with(permission: str) -> list[Role]:
    """Return the built-in roles that give a permission."""
    return [role for role in Role if permission in PERMISSIONS[role]]
