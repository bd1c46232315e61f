"""A tenant's plan and limits: set by staff, held to by whoever adds something."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.errors import ValidationFailed
from apps.core.scope import current_tenant_id, write_scope
from apps.tenants import events, usage
from apps.tenants.enums import Meter, Plan
from apps.tenants.errors import LimitReached, StaffOnly
from apps.tenants.models import Tenant
from apps.tenants.plans import limits_of
from apps.tenants.services.telling import tell

LARGEST = 1_000_000_000
LARGEST_RATE = 100_000

Rate = tuple[int, ...]  # requests a second, at once and, if there is a limit of its own, in flight


def set_plan(
    *,
    tenant_id: UUID,
    plan: Plan,
    overrides: Mapping[Meter, int],
    tenant_rate: Rate | None = None,
    key_rate: Rate | None = None,
    reason: str,
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> Tenant:
    """Set a tenant's plan and all limits of its own; what is so already changes nothing.

    The rates (see `Rate`) are those of the whole tenant and of each of its API keys; None: as everywhere.

    What the tenant has beyond a lower limit stays; there is no more of it.

    Raises:
        StaffOnly: the actor is a member or an API key.
        ValidationFailed: there is no reason, or a limit or a rate is out of range.
        NotFound: there is no such tenant.
        VersionConflict: it has another version than expected.
    """
    if actor.kind not in ("staff", "system"):
        raise StaffOnly
    rates = {"tenant_rate": tenant_rate, "key_rate": key_rate}
    own = _checked(overrides, rates, reason)
    actor = actor.for_tenant(tenant_id)
    with write_scope(actor):
        tenant = get_one(Tenant.objects.select_for_update(no_key=True).filter(id=tenant_id))
        tenant.require_version(expected_version)
        wanted: dict[str, Any] = {"plan": str(plan), "limit_overrides": own}
        wanted |= {name: list(rate) if rate else None for name, rate in rates.items()}
        changes: dict[str, Any] = {
            name: [getattr(tenant, name), value] for name, value in wanted.items() if getattr(tenant, name) != value
        }
        if changes:
            for name in changes:
                setattr(tenant, name, wanted[name])
            tenant.save_next(*changes, now=now)
            changes["reason"] = [None, reason]
            event = events.plan_event(events.TENANT_PLAN_CHANGED, tenant, limits_of(plan, own))
            tell(event, changes, actor, now)
    return tenant


def require_room(meter: Meter, *, now: datetime) -> None:
    """Refuse one more in the open write scope's tenant when its limit is reached.

    Exact, since whoever adds of the same tenant waits for the transaction's end; what only refers to the tenant does
    not.

    Raises:
        LimitReached: see the class.
    """
    tenant = Tenant.objects.select_for_update(no_key=True).get(id=current_tenant_id())
    limit = limits_of(Plan(tenant.plan), tenant.limit_overrides)[meter]
    if limit is not None and usage.used(meter, tenant_id=tenant.id, now=now) >= limit:
        told = {"limit": limit, "what": meter.label}
        raise LimitReached(_("Your plan's limit is reached: %(limit)s %(what)s.") % told)


def _checked(overrides: Mapping[Meter, int], rates: Mapping[str, Rate | None], reason: str) -> dict[str, int]:
    errors = []
    for name, rate in rates.items():
        if rate is not None and not (1 <= rate[0] <= rate[1] <= LARGEST_RATE and 1 <= rate[-1] <= LARGEST_RATE):
            message = _("At least 1 a second, at once no fewer than that and at most %(largest)s, in flight as well.")
            told = message % {"largest": LARGEST_RATE}
            errors.append({"field": name, "code": "out_of_range", "message": told})
    if not reason:
        errors.append({"field": "reason", "code": "required", "message": _("Say why.")})
    for meter, number in overrides.items():
        if not 0 <= number <= LARGEST:
            message = _("A limit lies between 0 and %(largest)s.") % {"largest": LARGEST}
            errors.append({"field": str(meter), "code": "out_of_range", "message": message})
    if errors:
        raise ValidationFailed(errors=errors)
    return {str(meter): number for meter, number in overrides.items()}
