"""Members and whom a tenant invites, as staff see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    Outcome,
    ServiceAction,
    StaffModelAdmin,
    TenantFilter,
    about_url,
    chip,
    column,
    moment,
    record_url,
)
from apps.core.admin.panels import Tone
from apps.tenants.admin.explaining import explain_action
from apps.tenants.admin.impersonations import start_view
from apps.tenants.enums import InvitationStatus, Role
from apps.tenants.models import Invitation, Membership
from apps.tenants.services import (
    change_role,
    remove_member,
    resend_invitation,
    revoke_invitation,
)

_TONES: Mapping[InvitationStatus, Tone] = {
    InvitationStatus.PENDING: "info",
    InvitationStatus.ACCEPTED: "ok",
    InvitationStatus.REVOKED: "idle",
    InvitationStatus.EXPIRED: "warn",
}

ROLE_CHANGED = Outcome(message("%(count)s member has the role"), message("%(count)s members have the role"))
REMOVED = Outcome(message("%(count)s member removed"), message("%(count)s members removed"))
RESENT = Outcome(message("%(count)s letter is on its way"), message("%(count)s letters are on their way"))
INVITATION_REVOKED = Outcome(message("%(count)s invitation revoked"), message("%(count)s invitations revoked"))


def _change_role(member: Membership, actor: Actor, now: datetime, role: str) -> Outcome:
    change_role(member_id=member.pk, role=Role(role), actor=actor, now=now)
    return ROLE_CHANGED


def _remove(member: Membership, actor: Actor, now: datetime, reason: str) -> Outcome:
    remove_member(member_id=member.pk, reason=reason, actor=actor, now=now)
    return REMOVED


def _resend(invitation: Invitation, actor: Actor, now: datetime, _reason: str) -> Outcome:
    resend_invitation(invitation_id=invitation.pk, actor=actor, now=now)
    return RESENT


def _revoke_invitation(invitation: Invitation, actor: Actor, now: datetime, reason: str) -> Outcome:
    revoke_invitation(invitation_id=invitation.pk, reason=reason, actor=actor, now=now)
    return INVITATION_REVOKED


@admin.register(Membership)
class MembershipAdmin(StaffModelAdmin):
    other_names = ("member",)
    list_display = ("name", "tenant", "role_name", "email", "since")
    list_filter = (TenantFilter, "role")
    search_fields = ("name", "email")
    search_ids = ("id", "user_id")
    empty_hint = gettext_lazy("A tenant's owner invites its members.")
    facts = ((gettext_lazy("Membership"), ("role", "email", "created_at", "updated_at", "id")),)
    service_actions = (
        ServiceAction(
            name="impersonate",
            label=gettext_lazy("Look as this member"),
            icon="visibility",
            page=start_view,
            permission="impersonate",
            sensitive=True,
        ),
        ServiceAction(
            name="change_role",
            label=gettext_lazy("Change role"),
            icon="badge",
            run=_change_role,
            options=Role.choices,
            options_label=gettext_lazy("Role"),
            sensitive=True,
        ),
        explain_action("member"),
        ServiceAction(
            name="remove",
            label=gettext_lazy("Remove"),
            icon="person_remove",
            run=_remove,
            confirm=gettext_lazy("The member's sessions in the tenant end at once. API keys that they made stay."),
            needs_reason=True,
            danger=True,
        ),
    )

    @column(gettext_lazy("role"))
    def role_name(self, member: Membership) -> str:
        return member.get_role_display()

    @column(gettext_lazy("since"))
    def since(self, member: Membership) -> str:
        return moment(member.created_at)

    def headline(self, member: Membership) -> str:
        return member.name

    def status(self, member: Membership) -> str:
        return chip(member.get_role_display())

    def related_links(self, member: Membership) -> Sequence[tuple[str, str]]:
        return (
            (_("User"), record_url("users.user", member.user_id)),
            (_("Everything they did"), about_url("audit.auditentry", member, member.user_id)),
        )


@admin.register(Invitation)
class InvitationAdmin(StaffModelAdmin):
    never_read = ("token_hash", "sealed_token")
    list_display = ("email", "tenant", "state", "role_name", "invited_by", "sent", "expiry")
    list_filter = (TenantFilter, "role")
    search_fields = ("email",)
    empty_hint = gettext_lazy("A tenant's owner invites people with POST /api/v1/invitations.")
    facts = (
        (
            gettext_lazy("Invitation"),
            ("email", "role", "invited_by", "created_at", "sent_at", "expires_at", "accepted_at", "revoked_at", "id"),
        ),
    )
    service_actions = (
        ServiceAction(
            name="resend",
            label=gettext_lazy("Send again"),
            icon="forward_to_inbox",
            run=_resend,
            confirm=gettext_lazy("A new letter goes out, which holds for seven days. The old one is void."),
            available=lambda invitation: invitation.accepted_at is None and invitation.revoked_at is None,
        ),
        ServiceAction(
            name="revoke",
            label=gettext_lazy("Revoke"),
            icon="unsubscribe",
            run=_revoke_invitation,
            confirm=gettext_lazy("The letter that was sent is void at once."),
            needs_reason=True,
            danger=True,
            available=lambda invitation: invitation.accepted_at is None and invitation.revoked_at is None,
        ),
    )

    @column(gettext_lazy("state"))
    def state(self, invitation: Invitation) -> str:
        status = invitation.status_at(clock.now())
        return chip(str(status.label), _TONES[status])

    @column(gettext_lazy("role"))
    def role_name(self, invitation: Invitation) -> str:
        return invitation.get_role_display()

    @column(gettext_lazy("sent"))
    def sent(self, invitation: Invitation) -> str:
        return moment(invitation.sent_at)

    @column(gettext_lazy("expires"))
    def expiry(self, invitation: Invitation) -> str:
        return moment(invitation.expires_at)

    def headline(self, invitation: Invitation) -> str:
        return invitation.email

    def status(self, invitation: Invitation) -> str:
        return self.state(invitation)

    def related_links(self, invitation: Invitation) -> Sequence[tuple[str, str]]:
        return ((_("What was done with it"), about_url("audit.auditentry", invitation)),)
