"""Who belongs to a tenant, and as what."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.db.violations import translate_violations
from apps.core.scope import current_tenant_id, write_scope
from apps.tenants import events, selectors
from apps.tenants.enums import Ending, Meter, Role
from apps.tenants.errors import AlreadyAMember, LastOwner, OwnersOnly, OwnRole, UnknownColleague
from apps.tenants.models import Membership
from apps.tenants.roles import Remit
from apps.tenants.selectors import get_remit
from apps.tenants.services.authority import Authority, lock_members
from apps.tenants.services.impersonations import end_impersonations
from apps.tenants.services.plans import require_room
from apps.tenants.services.telling import tell
from apps.users import services as users
from apps.users.models import User


def add_member(*, user: User, role: str, actor: Actor, now: datetime) -> Membership:
    """Make a user a member of the actor's tenant; the name and e-mail address are frozen as they are now.

    Raises:
        AlreadyAMember: see the class.
        ValidationFailed: there is no such role.
    """
    with write_scope(actor):
        member = Membership(user_id=user.id, name=user.get_full_name(), email=user.email)
        return _join(member, get_remit(role), actor=actor, now=now)


def add_colleague(*, username: str, role: str, actor: Actor, now: datetime) -> Membership:
    """Make somebody a member whose membership of another tenant the acting user handles, too.

    Anybody else is invited: adding people by name without being asked, and telling which names exist and whose they
    are, would be no tenant's business.

    Raises:
        UnknownColleague, OwnersOnly, RoleExceedsGranter, LimitReached, AlreadyAMember: see the classes.
        ValidationFailed: there is no such role.
    """
    with write_scope(actor):
        authority, remit = lock_members(actor), get_remit(role)
        authority.require_may_grant(remit)
        require_room(Meter.MEMBERS, now=now)
        found = selectors.find_colleague(asker_id=actor.user_id, username=User.normalize_username(username))
        if found is None:
            message = str(UnknownColleague.title)
            raise UnknownColleague(errors=[{"field": "username", "code": UnknownColleague.code, "message": message}])
        user_id, name, email = found
        return _join(Membership(user_id=user_id, name=name, email=email), remit, actor=actor, now=now)


def change_role(
    *,
    member_id: UUID,
    role: str,
    reason: str = "",
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> Membership:
    """Give a member another role, which holds from their next request on; the role that they have changes nothing.

    `reason`, why staff does it, is kept in the audit leaf.

    Raises:
        NotFound, VersionConflict: see `_find`.
        OwnRole, OwnersOnly, RoleExceedsGranter, LastOwner: see the classes.
        ValidationFailed: there is no such role.
    """
    with write_scope(actor):
        authority = lock_members(actor)
        member = _find(member_id, expected_version)
        if member.user_id == actor.user_id:
            raise OwnRole  # of staff, too, who are members
        remit = get_remit(role)
        authority.require_may_grant(remit)
        before = member.role
        if before == remit.name:
            return member
        _require_may_unseat(member, authority)
        member.role, member.tenant_role_id = remit.name, remit.id
        member.save_next("role", "tenant_role", now=now)
        changes = {"role": [str(before), remit.name]} | ({"reason": [None, reason]} if reason else {})
        tell(events.member_event(events.MEMBER_ROLE_CHANGED, member), changes, actor, now)
    return member


def remove_member(
    *, member_id: UUID, reason: str = "", expected_version: int | None = None, actor: Actor, now: datetime
) -> None:
    """End a membership and its sessions at once, also while writing is switched off.

    API keys that the member has made stay: they are the tenant's.

    Raises:
        NotFound, VersionConflict: see `_find`.
        OwnersOnly, LastOwner: see the classes.
    """
    with transaction.atomic():
        with write_scope(actor, even_if_read_only=True):
            authority = lock_members(actor)
            member = _find(member_id, expected_version)
            _require_may_unseat(member, authority)
            changes: dict[str, list[str | None]] = {
                "user_id": [str(member.user_id), None],
                "role": [str(member.role), None],
            }
            changes |= {"reason": [None, reason]} if reason else {}
            tell(events.member_event(events.MEMBER_REMOVED, member), changes, actor, now)
            end_impersonations(ending=Ending.MEMBER_LEFT, user_id=member.user_id, actor=actor, now=now)
            Membership.objects.filter(id=member.id).delete()
        # Without them nothing would come back to life if the user joined again. A tenant's scope cannot reach them.
        users.revoke_sessions(
            user_id=member.user_id, tenant_id=member.tenant_id, reason="member_removed", actor=actor, now=now
        )


def _join(member: Membership, remit: Remit, *, actor: Actor, now: datetime) -> Membership:
    member.tenant_id, member.role, member.tenant_role_id = current_tenant_id(), remit.name, remit.id
    member.created_at = member.updated_at = now
    with translate_violations({"tenants_membership_one_per_user": AlreadyAMember()}):
        member.save(force_insert=True)
    changes = {"user_id": [None, str(member.user_id)], "role": [None, member.role]}
    tell(events.member_event(events.MEMBER_ADDED, member), changes, actor, now)
    return member


def _find(member_id: UUID, expected_version: int | None) -> Membership:
    """Return a member of the open scope's tenant.

    Raises:
        NotFound: the tenant has none of this id.
        VersionConflict: it has another version than expected.
    """
    member = get_one(Membership.objects.filter(id=member_id))
    member.require_version(expected_version)
    return member


def _require_may_unseat(member: Membership, authority: Authority) -> None:
    if member.role != Role.OWNER:
        return
    if not authority.is_owner:
        raise OwnersOnly
    if not Membership.objects.filter(role=Role.OWNER).exclude(id=member.id).exists():
        raise LastOwner
