"""What each plan allows: one table. Staff may set a tenant's own number for any of it."""

from collections.abc import Mapping

from apps.tenants.enums import Meter, Plan

# None: as many as one likes.
PLANS: Mapping[Plan, Mapping[Meter, int | None]] = {
    Plan.FREE: {
        Meter.MEMBERS: 3,
        Meter.API_KEYS: 5,
        Meter.CONNECTIONS: 2,
        Meter.ACCOUNTS: 20,
        Meter.WEBHOOK_ENDPOINTS: 2,
        Meter.ORDERS_TODAY: 200,
        Meter.ROLES: 5,
    },
    Plan.STANDARD: {
        Meter.MEMBERS: 500,
        Meter.API_KEYS: 1_000,
        Meter.CONNECTIONS: 1_000,
        Meter.ACCOUNTS: 1_000,
        Meter.WEBHOOK_ENDPOINTS: 5_000,
        Meter.ORDERS_TODAY: 50_000,
        Meter.ROLES: 100,
    },
    Plan.ENTERPRISE: dict.fromkeys(Meter),
}

# What is refused beyond its limit. Accounts come by themselves, and an order must not fail for a number of ours: these
# are shown alone.
REFUSED_BEYOND = frozenset({Meter.MEMBERS, Meter.API_KEYS, Meter.ROLES, Meter.CONNECTIONS, Meter.WEBHOOK_ENDPOINTS})


def limits_of(plan: Plan, overrides: Mapping[str, int]) -> dict[Meter, int | None]:
    """Return a tenant's limits: its plan's, and its own where staff has set one."""
    return {meter: overrides.get(meter, number) for meter, number in PLANS[plan].items()}
