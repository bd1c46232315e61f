"""What an actor may hand on: nobody grants more than they have, and only owners decide on owners."""

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.conditions import AnyCondition
from apps.core.errors import PermissionMissing
from apps.core.permissions import Permission, held_as
from apps.core.scope import current_tenant_id
from apps.tenants.enums import Role
from apps.tenants.errors import OwnersOnly, RoleExceedsGranter
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.roles import ALL_PERMISSIONS, Remit
from apps.tenants.selectors import get_remit


@dataclass(frozen=True, slots=True)
class Authority:
    """What an actor may do at this moment. An API key is never an owner, whatever its scopes."""

    permissions: Set[str]
    is_owner: bool
    conditions: Mapping[str, tuple[AnyCondition, ...]] = field(default_factory=dict)

    def lacks(self, permissions: Iterable[str], conditions: Mapping[str, Collection[AnyCondition]]) -> list[str]:
        """Return which of the permissions, under these conditions, are more than the actor has.

        Whoever holds one under conditions hands it on under the same ones at least.
        """
        return sorted(str(name) for name in permissions if not self._covers(name, conditions.get(name, ())))

    def _covers(self, name: str, conditions: Collection[AnyCondition]) -> bool:
        held = held_as(name, self.permissions)
        return held is not None and set(self.conditions.get(held, ())) <= set(conditions)

    def require_may_grant(self, remit: Remit) -> None:
        """Refuse a role that can do what the actor cannot.

        Raises:
            OwnersOnly, RoleExceedsGranter: see the classes.
        """
        if remit.name == Role.OWNER and not self.is_owner:
            raise OwnersOnly
        excess = self.lacks(remit.permissions, remit.conditions)
        if excess:
            raise RoleExceedsGranter(_("You do not have: %(scopes)s") % {"scopes": ", ".join(excess)})


def authority_of(actor: Actor) -> Authority:
    """Return what the actor may do in the open scope's tenant, as it is stored now.

    Raises:
        PermissionMissing: the actor is no member any more, or a key that was revoked meanwhile.
    """
    if actor.kind in ("staff", "system"):
        return Authority(ALL_PERMISSIONS, is_owner=True)
    if actor.api_key_id is not None:
        key = ApiKey.objects.get(id=actor.api_key_id)
        if key.revoked_at is not None:
            raise PermissionMissing
        return Authority(frozenset(key.scopes), is_owner=False)
    assert actor.user_id is not None
    membership = Membership.objects.filter(user_id=actor.user_id).first()
    if membership is None:
        raise PermissionMissing
    remit = get_remit(membership.role)
    return Authority(remit.permissions, is_owner=remit.name == Role.OWNER, conditions=remit.conditions)


def lock_members(actor: Actor) -> Authority:
    """Let nobody else change the tenant's members until the transaction ends; return what the actor may do then.

    One lock for all of them: two owners who remove each other at once must not leave the tenant without any. It does
    not hold up what only refers to the tenant.

    Raises:
        PermissionMissing: the actor may not handle members any more.
    """
    Tenant.objects.select_for_update(no_key=True).get(id=current_tenant_id())
    authority = authority_of(actor)
    if Permission.MEMBERS_WRITE not in authority.permissions:
        raise PermissionMissing
    return authority
