"""How much a tenant has of what its plan limits.

Most of what is counted belongs to rooms that stand above this one: the project registers how (finops/wiring/usage.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.tenants.enums import Meter, Plan
from apps.tenants.models import ApiKey, Invitation, Membership, RequestCount, Tenant, TenantRole
from apps.tenants.plans import PLANS, REFUSED_BEYOND, limits_of

Count = Callable[[UUID, datetime], int]


def _members(tenant_id: UUID, now: datetime) -> int:
    """Count members and those who may become one: an open invitation keeps a place."""
    invited = Invitation.objects.filter(tenant_id=tenant_id, accepted_at=None, revoked_at=None, expires_at__gt=now)
    return Membership.objects.filter(tenant_id=tenant_id).count() + invited.count()


def _api_keys(tenant_id: UUID, now: datetime) -> int:
    """Count the keys that work, but for those that have a successor already."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    return ApiKey.objects.filter(lasting, tenant_id=tenant_id, revoked_at=None, replaced_by=None).count()


def _roles(tenant_id: UUID, _now: datetime) -> int:
    return TenantRole.objects.filter(tenant_id=tenant_id).count()


_counts: dict[Meter, Count] = {Meter.MEMBERS: _members, Meter.API_KEYS: _api_keys, Meter.ROLES: _roles}


@dataclass(frozen=True, slots=True)
class Usage:
    """One meter of a tenant; a limit of None is none. `is_enforced`: more is refused, not only seen."""

    name: Meter
    used: int
    limit: int | None
    plan_limit: int | None
    is_enforced: bool


def count_by(meter: Meter, count: Count) -> None:
    """Have a meter counted by a function of the tenant's id and the time; it runs in a scope that sees the tenant."""
    _counts[meter] = count


def used(meter: Meter, *, tenant_id: UUID, now: datetime) -> int:
    """Return what a meter of a tenant says; the open scope sees the tenant."""
    return _counts[meter](tenant_id, now)


@dataclass(frozen=True, slots=True)
class Requests:
    """How many requests a tenant has sent on this day and in this month (UTC), as far as they are stored."""

    today: int
    this_month: int


def requests_of(tenant: Tenant, *, now: datetime) -> Requests:
    """Return how many requests were admitted; the open scope sees the tenant."""
    today = now.date()
    days = RequestCount.objects.filter(tenant_id=tenant.id, day__gte=today.replace(day=1), day__lte=today)
    counted = dict(days.values_list("day", "requests"))
    return Requests(counted.get(today, 0), sum(counted.values()))


def usage_of(tenant: Tenant, *, now: datetime) -> list[Usage]:
    """Return every meter of a tenant; the open scope sees the tenant."""
    plan = Plan(tenant.plan)
    return [
        Usage(
            meter,
            used(meter, tenant_id=tenant.id, now=now),
            limit,
            PLANS[plan][meter],
            meter in REFUSED_BEYOND,
        )
        for meter, limit in limits_of(plan, tenant.limit_overrides).items()
    ]
