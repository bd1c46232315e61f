"""What each built-in role may do: one table, read top to bottom. Tenants define others (`TenantRole`)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from apps.core.conditions import AnyCondition, Conditions
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


@dataclass(frozen=True, slots=True)
class Remit:
    """What a role gives, and under which conditions, by permission; `id` is the row of a tenant's own role."""

    name: str
    permissions: frozenset[str]
    conditions: Mapping[str, tuple[AnyCondition, ...]] = field(default_factory=dict)
    id: UUID | None = None


def built_in(name: str) -> Remit:
    """Return what a built-in role gives."""
    return Remit(name, permissions_of(Role(name)))


def own_remit(slug: str, permissions: Iterable[str], conditions: Conditions, row_id: UUID | None = None) -> Remit:
    """Return what a role of a tenant's own gives; a permission that the platform has no more is nobody's."""
    return Remit(slug, ALL_PERMISSIONS & frozenset(permissions), conditions, row_id)


def permissions_of(role: Role) -> frozenset[Permission]:
    """Return what a role may do."""
    return PERMISSIONS[role]


def roles_with(permission: str) -> list[Role]:
    """Return the built-in roles that give a permission."""
    return [role for role in Role if permission in PERMISSIONS[role]]
