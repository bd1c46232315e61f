"""Adding members to a tenant."""

from datetime import datetime

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.db.violations import translate_violations
from apps.core.scope import current_tenant_id, write_scope
from apps.outbox import services as outbox
from apps.tenants import events
from apps.tenants.enums import Role
from apps.tenants.errors import AlreadyAMember
from apps.tenants.models import Membership
from apps.users.models import User


def add_member(*, user: User, role: Role, actor: Actor, now: datetime) -> Membership:
    """Make a user a member of the actor's tenant; the name and e-mail address are frozen as they are now.

    Raises:
        AlreadyAMember: see the class.
    """
    with write_scope(actor):
        membership = Membership(
            tenant_id=current_tenant_id(),
            user=user,
            role=role,
            name=user.get_full_name(),
            email=user.email,
            created_at=now,
            updated_at=now,
        )
        with translate_violations({"tenants_membership_one_per_user": AlreadyAMember()}):
            membership.save(force_insert=True)
        audit.record(
            action=events.MEMBER_ADDED,
            actor=actor,
            target_type="member",
            target_id=membership.id,
            now=now,
            changes={"user_id": [None, str(user.id)], "role": [None, str(role)]},
        )
        outbox.emit(events.member_event(events.MEMBER_ADDED, membership), actor=actor, now=now)
    return membership
