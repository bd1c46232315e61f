"""What an actor may hand on: nobody grants more than they have, and only owners decide on owners."""

from collections.abc import Set
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.errors import PermissionMissing
from apps.core.permissions import Permission, with_implied
from apps.core.scope import current_tenant_id
from apps.tenants.enums import Role
from apps.tenants.errors import OwnersOnly, RoleExceedsGranter
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.roles import ALL_PERMISSIONS, permissions_of


@dataclass(frozen=True, slots=True)
class Authority:
    """What an actor may do at this moment. An API key is never an owner, whatever its scopes."""

    permissions: Set[str]
    is_owner: bool

    def require_may_grant(self, role: Role) -> None:
        """Refuse a role that can do what the actor cannot.

        Raises:
            OwnersOnly, RoleExceedsGranter: see the classes.
        """
        if role == Role.OWNER and not self.is_owner:
            raise OwnersOnly
        excess = sorted(permissions_of(role) - with_implied(self.permissions))
        if excess:
            raise RoleExceedsGranter(_("You do not have: %(scopes)s") % {"scopes": ", ".join(excess)})


def authority_of(actor: Actor) -> Authority:
    """Return what the actor may do in the open scope's tenant, as it is stored now.

    Raises:
        PermissionMissing: the actor is no member any more.
    """
    if actor.kind in ("staff", "system"):
        return Authority(ALL_PERMISSIONS, is_owner=True)
    if actor.api_key_id is not None:
        return Authority(frozenset(ApiKey.objects.get(id=actor.api_key_id).scopes), is_owner=False)
    assert actor.user_id is not None
    membership = Membership.objects.filter(user_id=actor.user_id).first()
    if membership is None:
        raise PermissionMissing
    role = Role(membership.role)
    return Authority(permissions_of(role), is_owner=role == Role.OWNER)


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
