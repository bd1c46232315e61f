"""Inviting people by e-mail. What proves that somebody was invited is a random token, of which the hash is kept.

The letter is sent by a job after the commit. Until then the token stands beside its hash, encrypted.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Sum
from django.utils.translation import gettext as _

from apps.core import crypto
from apps.core.actor import Actor, system_actor
from apps.core.db.finding import get_one
from apps.core.db.violations import translate_violations
from apps.core.errors import RateLimited
from apps.core.scope import current_tenant_id, tenant_scope, write_scope
from apps.core.seals import Row, SealedTable, key_id_in
from apps.core.tokens import TokenKind, hash_token, new_token
from apps.jobs import services as jobs
from apps.jobs.types import Lease
from apps.tenants import events
from apps.tenants.enums import InvitationStatus, Meter
from apps.tenants.errors import AlreadyAMember, AlreadyInvited, InvitationClosed
from apps.tenants.models import Invitation, Membership, Tenant
from apps.tenants.selectors import get_remit
from apps.tenants.services.authority import lock_members
from apps.tenants.services.plans import require_room
from apps.tenants.services.telling import tell
from apps.tenants.types import SEND_INVITATION

logger = logging.getLogger(__name__)

LIFE = timedelta(days=7)
# Letters go to addresses that anybody may name, and they come from us.
LETTERS_A_DAY = 200
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Letter:
    """An invitation that is to be sent, with its token."""

    invitation: Invitation
    tenant: Tenant
    token: str


def invite(*, email: str, role: str, actor: Actor, now: datetime) -> Invitation:
    """Invite whoever reads this e-mail address; the invitation holds for seven days, and once.

    Raises:
        ValidationFailed: the address is malformed, or there is no such role.
        OwnersOnly, RoleExceedsGranter, AlreadyAMember, LimitReached, RateLimited, AlreadyInvited: see the classes.
    """
    invitation = Invitation(email=email, invited_by=actor.label, created_at=now)
    with write_scope(actor):
        authority, remit = lock_members(actor), get_remit(role)
        authority.require_may_grant(remit)
        invitation.tenant_id, invitation.role, invitation.tenant_role_id = current_tenant_id(), remit.name, remit.id
        _give_token(invitation, now)
        invitation.require_valid_fields(exclude=["token_hash", "sealed_token", "role", "tenant_role"])
        if Membership.objects.filter(email__iexact=email).exists():
            raise AlreadyAMember
        require_room(Meter.MEMBERS, now=now)
        _require_letter(now)
        with translate_violations({"tenants_invitation_one_open_per_address": AlreadyInvited()}):
            invitation.save(force_insert=True)
        changes = {"role": [None, remit.name], "expires_at": [None, invitation.expires_at]}
        tell(events.invitation_event(events.INVITATION_CREATED, invitation), changes, actor, now)
        _have_sent(invitation, actor, now)
    return invitation


def resend_invitation(
    *, invitation_id: UUID, expected_version: int | None = None, actor: Actor, now: datetime
) -> Invitation:
    """Send an open or expired invitation again, with a new token and seven days more; the old token is void.

    Raises:
        NotFound, VersionConflict: see `_locked`.
        InvitationClosed, OwnersOnly, RoleExceedsGranter, LimitReached, RateLimited: see the classes.
    """
    with write_scope(actor):
        authority = lock_members(actor)
        invitation = _locked(invitation_id, expected_version)
        if invitation.accepted_at is not None or invitation.revoked_at is not None:
            raise InvitationClosed
        authority.require_may_grant(get_remit(invitation.role))
        before = invitation.expires_at
        if before <= now:
            require_room(Meter.MEMBERS, now=now)
        _require_letter(now)
        _give_token(invitation, now)
        invitation.save_next("token_hash", "sealed_token", "expires_at", "sent_at", "letters", now=now)
        changes = {"expires_at": [before, invitation.expires_at]}
        tell(events.invitation_event(events.INVITATION_RESENT, invitation), changes, actor, now)
        _have_sent(invitation, actor, now)
    return invitation


def revoke_invitation(
    *, invitation_id: UUID, reason: str = "", expected_version: int | None = None, actor: Actor, now: datetime
) -> Invitation:
    """Make an invitation's token void, also while writing is switched off; a revoked one stays as it is.

    Raises:
        NotFound, VersionConflict: see `_locked`.
        InvitationClosed: it was accepted; remove the member instead.
    """
    with write_scope(actor, even_if_read_only=True):
        lock_members(actor)
        invitation = _locked(invitation_id, expected_version)
        if invitation.accepted_at is not None:
            raise InvitationClosed
        if invitation.revoked_at is None:
            close(invitation, revoked_at=now, now=now)
            changes = {"revoked_at": [None, now]} | ({"reason": [None, reason]} if reason else {})
            tell(events.invitation_event(events.INVITATION_REVOKED, invitation), changes, actor, now)
    return invitation


def close(invitation: Invitation, *, now: datetime, **moment: datetime) -> None:
    """End a locked invitation: set `accepted_at` or `revoked_at`, and forget the token."""
    for name, value in moment.items():
        setattr(invitation, name, value)
    invitation.sealed_token = None
    invitation.save_next(*moment, "sealed_token", now=now)


def find_letter(lease: Lease, *, now: datetime) -> Letter | None:
    """Return what a job is to send; None when the invitation was sent again, accepted or revoked meanwhile."""
    with tenant_scope(lease.tenant_id):
        invitation = Invitation.objects.filter(id=lease.payload["invitation_id"]).first()
        if (
            invitation is None
            or invitation.version != lease.payload["version"]
            or invitation.status_at(now) != InvitationStatus.PENDING
        ):
            return None
        return Letter(invitation, Tenant.objects.get(id=lease.tenant_id), open_token(invitation))


def mark_sent(letter: Letter, lease: Lease, *, now: datetime) -> None:
    """Note that a letter has gone out, forget its token, and settle its job.

    After a crash between sending and this the letter goes out twice, with the same token.
    """
    with write_scope(lease.actor, even_if_read_only=True):
        same = Invitation.objects.filter(id=letter.invitation.id, version=letter.invitation.version)
        same.update(sent_at=now, sealed_token=None)
        jobs.settle(lease, now=now)


def open_token(invitation: Invitation) -> str:
    """Return the token of an invitation whose letter has not been sent yet."""
    assert invitation.sealed_token is not None
    return crypto.decrypt(bytes(invitation.sealed_token), bound_to=_bound_to(invitation)).decode()


def reseal_token(sealed: Row, now: datetime) -> bool:
    """Put the token of a letter that waits under the current key, or forget it where none will be sent any more.

    See `SealedTable.reseal`.
    """
    with write_scope(system_actor("key-rotation", tenant_id=sealed.tenant_id), even_if_read_only=True):
        invitation = Invitation.objects.select_for_update().filter(id=sealed.id).first()
        if invitation is None or invitation.sealed_token is None:
            return False  # its letter went out in between
        try:
            token = open_token(invitation).encode() if invitation.expires_at > now else b""
        except crypto.DecryptionFailed:
            logger.warning("invitation.not_resealed", extra={"row": str(sealed.id)})
            return False
        invitation.sealed_token = crypto.encrypt(token, bound_to=_bound_to(invitation)) if token else None
        invitation.save(update_fields=["sealed_token"])
    return True


def _require_letter(now: datetime) -> None:
    """Refuse a letter beyond what a tenant may send a day; the members' lock makes it exact.

    Raises:
        RateLimited: see the class.
    """
    lately = Invitation.objects.filter(updated_at__gt=now - _DAY).aggregate(letters=Sum("letters"))["letters"] or 0
    if lately >= LETTERS_A_DAY:
        message = _("At most %(count)s letters a day.") % {"count": LETTERS_A_DAY}
        raise RateLimited(message, retry_after=int(_DAY.total_seconds()))


def _give_token(invitation: Invitation, now: datetime) -> None:
    token = new_token(TokenKind.INVITATION)
    invitation.token_hash = hash_token(token)
    invitation.sealed_token = crypto.encrypt(token.encode(), bound_to=_bound_to(invitation))
    invitation.expires_at, invitation.updated_at, invitation.sent_at = now + LIFE, now, None
    invitation.letters += 1


def _bound_to(invitation: Invitation) -> str:
    return f"tenants_invitation:{invitation.tenant_id}:{invitation.id}"


def _locked(invitation_id: UUID, expected_version: int | None) -> Invitation:
    """Return an invitation of the open scope's tenant, locked.

    Raises:
        NotFound: the tenant has none of this id.
        VersionConflict: it has another version than expected.
    """
    invitation = get_one(Invitation.objects.select_for_update().filter(id=invitation_id))
    invitation.require_version(expected_version)
    return invitation


def _have_sent(invitation: Invitation, actor: Actor, now: datetime) -> None:
    # Named by its version, so that a letter which has become void is not sent.
    payload = {"invitation_id": str(invitation.id), "version": invitation.version}
    jobs.enqueue(kind=SEND_INVITATION, payload=payload, actor=actor, now=now)


WAITING_LETTERS = SealedTable(
    "waiting letters",
    "tenants_invitation",
    reseal_token,
    key_id=key_id_in("sealed_token"),
    held="sealed_token IS NOT NULL",
    bound_to="concat('tenants_invitation:', tenant_id, ':', id)",
    value="sealed_token",
)
