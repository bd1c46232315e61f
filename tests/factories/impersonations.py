"""Staff who look at a tenant as one of its members, for tests."""

from datetime import datetime

from apps.core import clock
from apps.core.actor import Actor
from apps.core.scope import staff_scope
from apps.tenants.models import Impersonation, Membership, Tenant
from apps.tenants.services import issue_impersonation_token, start_impersonation
from apps.users.models import User


def staff_acting(staff: User, tenant: Tenant) -> Actor:
    """Return a staff user as an actor upon a tenant."""
    return Actor(kind="staff", label=staff.username, tenant_id=tenant.id, user_id=staff.id, request_id="by-staff")


def make_impersonation(tenant: Tenant, member: User, staff: User, *, now: datetime | None = None) -> Impersonation:
    """Let a staff user look as a member, from now on."""
    with staff_scope():
        membership = Membership.objects.get(tenant_id=tenant.id, user_id=member.id)
    return start_impersonation(
        member_id=membership.id,
        reason="They see no balance",
        ticket="SUP-1204",
        actor=staff_acting(staff, tenant),
        now=now or clock.now(),
    )


def make_token(impersonation: Impersonation, staff: User, tenant: Tenant, *, now: datetime | None = None) -> str:
    """Return the bearer token of an impersonation."""
    return issue_impersonation_token(
        impersonation_id=impersonation.id, actor=staff_acting(staff, tenant), now=now or clock.now()
    )
