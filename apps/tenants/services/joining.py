"""Accepting an invitation, as a new user or as one who is signed in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.core.actor import Actor
from apps.core.scope import write_scope
from apps.core.tokens import hash_token
from apps.tenants import events, selectors
from apps.tenants.enums import InvitationStatus
from apps.tenants.errors import InvalidInvitation, TenantSuspended
from apps.tenants.models import Invitation, Membership, Tenant
from apps.tenants.services.invitations import close
from apps.tenants.services.members import add_member
from apps.tenants.services.telling import tell
from apps.tenants.types import TenantIdentity
from apps.users import services as users
from apps.users.models import User
from apps.users.types import Origin


@dataclass(frozen=True, slots=True)
class NewUser:
    """The name and the password that somebody without an account chooses."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A new membership and its tenant."""

    member: Membership
    tenant: TenantIdentity


def accept_invitation(
    *,
    token: str,
    by: UUID | NewUser,
    origin: Origin,
    now: datetime,
    keep: Callable[[Joined], None] | None = None,
) -> Joined:
    """Make the bearer of an invitation's token a member: a user by id, or a new one, who gets the invited address.

    The token is looked up before anything else is, so that nobody without one learns which user names are taken. A
    refusal does not use it up. `keep` is called with what came of it, in the tenant's write scope.

    Raises:
        InvalidInvitation: whatever is wrong with the token.
        PasswordTooWeak, UsernameTaken, ValidationFailed: see `users.create_user`.
        TenantSuspended, AlreadyAMember: see the classes.
    """
    invited = selectors.find_invitation(token, now=now)
    if invited is None:
        raise InvalidInvitation
    if invited.is_suspended:
        raise TenantSuspended
    chosen = _prepare(by, invited.email, now) if isinstance(by, NewUser) else by
    with transaction.atomic():
        user = _store(chosen, origin, now) if isinstance(chosen, User) else User.objects.get(id=chosen)
        actor = _actor(user.username, origin, user.id).for_tenant(invited.tenant.id)
        with write_scope(actor):
            # The members' lock first, like everywhere.
            Tenant.objects.select_for_update(no_key=True).get(id=invited.tenant.id)
            invitation = Invitation.objects.select_for_update().get(id=invited.id)
            if (
                bytes(invitation.token_hash) != hash_token(token)
                or invitation.status_at(now) != InvitationStatus.PENDING
            ):
                raise InvalidInvitation
            member = add_member(user=user, role=invitation.role, actor=actor, now=now)
            close(invitation, accepted_at=now, now=now)
            changes = {"accepted_at": [None, now], "member_id": [None, str(member.id)]}
            tell(events.invitation_event(events.INVITATION_ACCEPTED, invitation), changes, actor, now)
            joined = Joined(member, invited.tenant)
            if keep is not None:
                keep(joined)
    return joined


def _prepare(chosen: NewUser, email: str, now: datetime) -> User:
    # Before the transaction: the password may be compared with those of breaches, and hashing takes its time.
    return users.prepare_user(username=chosen.username, password=chosen.password, email=email, now=now)


def _store(newcomer: User, origin: Origin, now: datetime) -> User:
    return users.store_user(newcomer, actor=_actor(newcomer.username, origin), now=now)


def _actor(username: str, origin: Origin, user_id: UUID | None = None) -> Actor:
    return Actor(kind="user", label=username, user_id=user_id, request_id=origin.request_id, ip=origin.ip)
