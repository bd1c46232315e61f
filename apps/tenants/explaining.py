"""Why somebody may do something or not: the decision itself, asked about somebody, in the open tenant's scope.

What a decision is about may belong to rooms that stand above this one: the project registers how it is read
(finops/wiring/resources.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Min, Q

from apps.core.actor import Actor
from apps.core.conditions import Resource
from apps.core.decisions import Decision, Standing, decide
from apps.core.errors import NotFound
from apps.core.models import ReadOnlySwitch
from apps.core.objects import Objects, beside
from apps.core.permissions import Permission
from apps.core.principal import Principal
from apps.core.scope import current_tenant_id
from apps.tenants.enums import ApiKeyMode, TenantStatus
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.selectors import get_remit

Find = Callable[[UUID], Resource | None]
Granted = Callable[[UUID], Mapping[str, Objects]]
_found_by: dict[str, Find] = {}
_granted_by: list[Granted] = []


@dataclass(frozen=True, slots=True)
class Explained:
    """Whom a decision is about, as a principal with what stops them anyway."""

    principal: Principal
    standing: Standing

    def decide(self, permission: Permission, resource: Resource | None, *, now: datetime) -> Decision:
        """Return the decision that they would meet at this time."""
        return decide(self.principal, permission, resource, now=now, standing=self.standing)


def find_by(type_: str, find: Find) -> None:
    """Have resources of a type read by a function of their id; it runs in the tenant's scope."""
    _found_by[type_] = find


def grants_by(granted: Granted) -> None:
    """Have a member's grants for single objects read by a function of the membership's id."""
    _granted_by.append(granted)


def grants_of(member_id: UUID) -> dict[str, Objects]:
    """Return what a member was granted for single objects, by permission."""
    return {name: objects for find in _granted_by for name, objects in find(member_id).items()}


def get_resource(type_: str, resource_id: UUID) -> Resource:
    """Return a resource of the open scope's tenant, as conditions see it.

    Raises:
        NotFound: it has none of this type and id.
    """
    found = _found_by[type_](resource_id)
    if found is None:
        raise NotFound
    return found


def about(principal: Principal) -> Explained:
    """Return who asks, about themselves."""
    return Explained(principal, _standing())


def about_member(member: Membership) -> Explained:
    """Return a member as the principal that their sign-in makes of them."""
    remit = get_remit(member.role)
    actor = Actor(
        kind="user",
        label=member.name,
        tenant_id=member.tenant_id,
        user_id=member.user_id,
        conditions=remit.conditions,
        granted=beside(remit.permissions, grants_of(member.id)),
    )
    principal = Principal(actor=actor, permissions=remit.permissions, role=remit.name)
    return Explained(principal, _standing())


def about_key(key: ApiKey, *, now: datetime) -> Explained:
    """Return an API key as the principal that it stands for."""
    actor = Actor(kind="api_key", label=key.name, tenant_id=key.tenant_id, api_key_id=key.id)
    only_paper = key.mode == ApiKeyMode.TEST
    is_dead = key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)
    principal = Principal(actor=actor, permissions=frozenset(key.scopes), only_paper=only_paper)
    return Explained(principal, _standing(is_credential_dead=is_dead))


def _standing(*, is_credential_dead: bool = False) -> Standing:
    tenant = Tenant.objects.get(id=current_tenant_id())
    engaged = ReadOnlySwitch.objects.filter(Q(tenant_id=tenant.id) | Q(tenant_id__isnull=True))
    return Standing(
        is_suspended=tenant.status == TenantStatus.SUSPENDED,
        is_credential_dead=is_credential_dead,
        read_only=engaged.aggregate(reason=Min("reason"))["reason"],
    )


def order_to_place(who: Explained, amount: Decimal) -> Resource:
    """Return an order that somebody would place, as conditions see it."""
    actor = who.principal.actor
    return Resource(type="order", made_by=actor.user_id or actor.api_key_id, amount=amount)
