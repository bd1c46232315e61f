"""What each role may do."""

import pytest

from apps.core.api.permissions import Permission
from apps.tenants.enums import Role
from apps.tenants.roles import PERMISSIONS, permissions_of

pytestmark = pytest.mark.no_database

VIEWER = {
    "tenant:read",
    "providers:read",
    "connections:read",
    "accounts:read",
    "transactions:read",
    "market:read",
    "orders:read",
    "positions:read",
    "risk:read",
    "events:read",
}


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        (Role.OWNER, set(Permission)),
        (Role.ADMIN, set(Permission)),
        (Role.TRADER, VIEWER | {"transactions:write", "orders:write", "kill_switch:write"}),
        (Role.ANALYST, VIEWER | {"transactions:write", "audit:read"}),
        (Role.VIEWER, VIEWER),
        (Role.BILLING, {"tenant:read"}),
    ],
)
def test_a_role_may_do_exactly_this(role: Role, permissions: set[str]) -> None:
    assert permissions_of(role) == permissions


def test_every_role_is_in_the_table() -> None:
    assert set(PERMISSIONS) == set(Role)
