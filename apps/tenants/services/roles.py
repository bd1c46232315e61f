"""The roles that a tenant defines for itself. What they give holds from their members' next request on."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.conditions import Conditions, conditions_as_json
from apps.core.db.finding import get_one
from apps.core.db.violations import translate_violations
from apps.core.errors import ValidationFailed
from apps.core.permissions import REGISTRY, Permission
from apps.core.scope import current_tenant_id, write_scope
from apps.tenants import events
from apps.tenants.enums import Meter, Role
from apps.tenants.errors import OwnRole, RoleInUse, RoleNameTaken, UnknownPermission
from apps.tenants.models import Invitation, Membership, TenantRole
from apps.tenants.roles import ALL_PERMISSIONS
from apps.tenants.selectors import remit_of_own
from apps.tenants.services.authority import Authority, lock_members
from apps.tenants.services.plans import require_room
from apps.tenants.services.telling import tell

_TOLD = ("name", "permissions", "conditions")


def create_tenant_role(
    *,
    slug: str,
    name: str,
    permissions: Collection[str],
    conditions: Conditions | None = None,
    actor: Actor,
    now: datetime,
) -> TenantRole:
    """Define a role of the actor's tenant that can do no more than the actor.

    Raises:
        UnknownPermission, RoleExceedsGranter, RoleNameTaken, LimitReached: see the classes.
        ValidationFailed: the slug is malformed, or a condition stands where it cannot be judged.
    """
    if slug in Role.values:
        raise RoleNameTaken
    role = TenantRole(slug=slug, name=name, created_at=now, updated_at=now)
    _fill(role, permissions, conditions or {})
    with write_scope(actor):
        role.tenant_id = current_tenant_id()
        lock_members(actor).require_may_grant(remit_of_own(role))
        role.require_valid_fields()
        require_room(Meter.ROLES, now=now)
        with translate_violations({"tenants_tenantrole_slug": RoleNameTaken()}):
            role.save(force_insert=True)
        changes = {"slug": [None, slug]} | {field: [None, getattr(role, field)] for field in _TOLD}
        tell(events.role_event(events.ROLE_CREATED, role), changes, actor, now)
    return role


def change_tenant_role(
    *,
    role_id: UUID,
    name: str | None = None,
    permissions: Collection[str] | None = None,
    conditions: Conditions | None = None,
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> TenantRole:
    """Change what a role gives, or its name; None: it stays. What is so already changes nothing.

    Raises:
        NotFound, VersionConflict: see `_locked`.
        OwnRole: the actor has the role.
        UnknownPermission, RoleExceedsGranter: see the classes.
        ValidationFailed: a condition stands where it cannot be judged.
    """
    with write_scope(actor):
        authority = lock_members(actor)
        role = _locked(role_id, expected_version)
        before = {field: getattr(role, field) for field in _TOLD}
        role.name = role.name if name is None else name
        _fill(
            role,
            role.permissions if permissions is None else permissions,
            remit_of_own(role).conditions if conditions is None else conditions,
        )
        changes = {
            field: [value, getattr(role, field)] for field, value in before.items() if value != getattr(role, field)
        }
        if not changes:
            return role
        _require_may_change(role, authority, actor)
        role.require_valid_fields()
        role.save_next(*_TOLD, now=now)
        tell(events.role_event(events.ROLE_CHANGED, role), changes, actor, now)
    return role


def delete_tenant_role(*, role_id: UUID, expected_version: int | None = None, actor: Actor, now: datetime) -> None:
    """Delete a role that nobody has and nobody is invited to.

    Raises:
        NotFound, VersionConflict: see `_locked`.
        RoleInUse: see the class.
    """
    with write_scope(actor):
        lock_members(actor)
        role = _locked(role_id, expected_version)
        offered = Invitation.objects.filter(tenant_role=role)
        if (
            Membership.objects.filter(tenant_role=role).exists()
            or offered.filter(accepted_at=None, revoked_at=None).exists()
        ):
            raise RoleInUse
        # What closed ones offered stays as text.
        offered.update(tenant_role=None)
        changes = {"slug": [role.slug, None]} | {field: [getattr(role, field), None] for field in _TOLD}
        tell(events.role_event(events.ROLE_DELETED, role), changes, actor, now)
        TenantRole.objects.filter(id=role.id).delete()


def _fill(role: TenantRole, permissions: Collection[str], conditions: Mapping[str, Any]) -> None:
    """Give a role its permissions and conditions, once they make sense."""
    unknown = sorted({*permissions, *conditions} - ALL_PERMISSIONS)
    if unknown:
        errors = [{"field": "permissions", "code": UnknownPermission.code, "message": name} for name in unknown]
        raise UnknownPermission(errors=errors)
    errors = [
        {"field": f"conditions.{name}", "code": code, "message": message}
        for name in sorted(conditions)
        for code, message in _misplaced(name, permissions, [condition.name for condition in conditions[name]])
    ]
    if errors:
        raise ValidationFailed(errors=errors)
    role.permissions = sorted({str(name) for name in permissions})
    role.conditions = conditions_as_json({str(name): set_ for name, set_ in conditions.items() if set_})


def _misplaced(name: str, permissions: Collection[str], types: list[str]) -> list[tuple[str, str]]:
    """Return why a permission cannot have these types of condition."""
    if name not in permissions:
        return [("not_given", _("The role does not give this permission."))]
    judged = REGISTRY[Permission(name)].conditions
    wrong = [type_ for type_ in types if type_ not in judged]
    if wrong:
        told = {"wrong": ", ".join(wrong), "judged": ", ".join(judged)}
        return [("not_judged", _("%(wrong)s means nothing here; possible are: %(judged)s.") % told)]
    if len(set(types)) < len(types):
        return [("repeated", _("One condition of each type at most."))]
    return []


def _require_may_change(role: TenantRole, authority: Authority, actor: Actor) -> None:
    if actor.user_id is not None and Membership.objects.filter(user_id=actor.user_id, tenant_role=role).exists():
        raise OwnRole
    authority.require_may_grant(remit_of_own(role))


def _locked(role_id: UUID, expected_version: int | None) -> TenantRole:
    """Return a role that the open scope's tenant has defined, locked.

    Raises:
        NotFound: it has none of this id.
        VersionConflict: it has another version than expected.
    """
    role = get_one(TenantRole.objects.select_for_update().filter(id=role_id))
    role.require_version(expected_version)
    return role
