"""The registry of permissions: what each lets one do, where it belongs, and which conditions a role may set on it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


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
    POSITIONS_READ = "positions:read"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    RISK_READ = "risk:read"
    RISK_WRITE = "risk:write"
    KILL_SWITCH_WRITE = "kill_switch:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_READ = "events:read"
    AUDIT_READ = "audit:read"

    @property
    def writes(self) -> bool:
        """Whether it lets one change something."""
        return self.value.endswith(":write")


@dataclass(frozen=True, slots=True)
class Entry:
    """One permission for people. `conditions` are the types of condition whose inputs its operations know."""

    area: Promise
    description: Promise
    conditions: tuple[str, ...] = ("hours",)


_TENANT, _CONNECTIONS, _ACCOUNTS = _("Tenant"), _("Connections"), _("Accounts")
_ORDERS, _WEBHOOKS, _RECORDS = _("Orders and risk"), _("Webhooks"), _("Events and audit")

REGISTRY: Mapping[Permission, Entry] = {
    Permission.TENANT_READ: Entry(_TENANT, _("See the tenant, its plan and what is used of it.")),
    Permission.MEMBERS_READ: Entry(_TENANT, _("See members, invitations, roles and what each may do.")),
    Permission.MEMBERS_WRITE: Entry(_TENANT, _("Invite people, change and remove members, define roles.")),
    Permission.API_KEYS_READ: Entry(_TENANT, _("See API keys, without their secrets.")),
    Permission.API_KEYS_WRITE: Entry(_TENANT, _("Create, roll and revoke API keys.")),
    Permission.PROVIDERS_READ: Entry(_CONNECTIONS, _("See which providers there are and what they can do.")),
    Permission.CONNECTIONS_READ: Entry(_CONNECTIONS, _("See connections and their sync runs.")),
    Permission.CONNECTIONS_WRITE: Entry(_CONNECTIONS, _("Connect, sync and disconnect banks and brokers.")),
    Permission.ACCOUNTS_READ: Entry(_ACCOUNTS, _("See accounts, balances and holdings.")),
    Permission.TRANSACTIONS_READ: Entry(_ACCOUNTS, _("See transactions.")),
    Permission.TRANSACTIONS_WRITE: Entry(_ACCOUNTS, _("Give transactions a category and a note.")),
    Permission.MARKET_READ: Entry(_("Market"), _("See instruments and quotes.")),
    Permission.POSITIONS_READ: Entry(_ORDERS, _("See what is held, and none of the orders that led there.")),
    Permission.ORDERS_READ: Entry(_ORDERS, _("See orders, fills and positions.")),
    Permission.ORDERS_WRITE: Entry(
        _ORDERS, _("Place, replace and cancel orders."), conditions=("own", "amount_below", "hours")
    ),
    Permission.RISK_READ: Entry(_ORDERS, _("See risk limits, decisions of the gate and kill switches.")),
    Permission.RISK_WRITE: Entry(_ORDERS, _("Set risk limits.")),
    Permission.KILL_SWITCH_WRITE: Entry(_ORDERS, _("Stop all trading, and let it go on.")),
    Permission.WEBHOOKS_READ: Entry(_WEBHOOKS, _("See endpoints and deliveries.")),
    Permission.WEBHOOKS_WRITE: Entry(_WEBHOOKS, _("Set endpoints up, rotate their secrets, deliver again.")),
    Permission.EVENTS_READ: Entry(_RECORDS, _("See what happened.")),
    Permission.AUDIT_READ: Entry(_RECORDS, _("See who did what.")),
}

# What members may be granted for single objects, by the types of these. To write alone what services judge with the
# account that they have locked: every view that asks for it says so in `judged_with_resource`.
ACCOUNT, CONNECTION = "account", "connection"
GRANTABLE: Mapping[Permission, tuple[str, ...]] = {
    Permission.CONNECTIONS_READ: (CONNECTION,),
    Permission.ACCOUNTS_READ: (ACCOUNT, CONNECTION),
    Permission.TRANSACTIONS_READ: (ACCOUNT, CONNECTION),
    Permission.TRANSACTIONS_WRITE: (ACCOUNT, CONNECTION),
    Permission.ORDERS_READ: (ACCOUNT, CONNECTION),
    Permission.ORDERS_WRITE: (ACCOUNT, CONNECTION),
    Permission.POSITIONS_READ: (ACCOUNT, CONNECTION),
}

# What somebody may do who holds another permission, under that one's conditions.
IMPLIED_BY: Mapping[str, Permission] = {Permission.POSITIONS_READ: Permission.ORDERS_READ}


def held_as(permission: str, held: Collection[str]) -> str | None:
    """Return by which of the permissions held somebody has this one: itself, or the one that implies it; or None."""
    return next((name for name in (permission, IMPLIED_BY.get(permission)) if name in held), None)
