"""Grants of single objects, as staff see them: on the member's page, in a list, and on pages of their own."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.accounts.models import ObjectGrant
from apps.accounts.services import revoke_grant
from apps.core.actor import Actor
from apps.core.admin import (
    Outcome,
    Panel,
    ServiceAction,
    StaffModelAdmin,
    Table,
    TenantFilter,
    about_url,
    chip,
    column,
    contributes_panels,
    link,
    moment,
    record_url,
    two_lines,
)
from apps.core.permissions import ACCOUNT, REGISTRY, Permission
from apps.tenants.models import Membership

_GRANTS = 50
REVOKED = Outcome(message("%(count)s grant revoked"), message("%(count)s grants revoked"))


def _revoke(grant: ObjectGrant, actor: Actor, now: datetime, reason: str) -> Outcome:
    revoke_grant(member_id=grant.member_id, grant_id=grant.pk, reason=reason, actor=actor, now=now)
    return REVOKED


def _object(grant: ObjectGrant) -> str:
    """Return what it is for, linked: an account, or a connection with all of its accounts."""
    if grant.object_type == ACCOUNT:
        return link(record_url("accounts.account", grant.object_id), str(grant.account))
    shown = link(record_url("providers.connection", grant.object_id), str(grant.connection))
    return two_lines(shown, _("and its accounts"))


def _permission(grant: ObjectGrant) -> str:
    return two_lines(grant.permission, REGISTRY[Permission(grant.permission)].description)


@contributes_panels(Membership)
def grants_of_member(_request: HttpRequest, member: Membership) -> Sequence[Panel]:
    """Show what a member was granted for single objects, and by whom."""
    grants = ObjectGrant.objects.filter(tenant_id=member.tenant_id, member=member)
    rows = [
        [
            link(record_url("accounts.objectgrant", grant.pk), grant.permission),
            _object(grant),
            grant.granted_by,
            moment(grant.created_at),
        ]
        for grant in grants.select_related("account", "connection").order_by("-id")[:_GRANTS]
    ]
    headers = [_("permission"), _("for"), _("granted by"), _("when")]
    empty = _("None: they have what their role gives, for all of the tenant.")
    return [Table(_("Granted for single objects"), headers, rows, empty)]


@admin.register(ObjectGrant)
class ObjectGrantAdmin(StaffModelAdmin):
    other_names = ("grant",)
    list_display = ("what", "tenant", "of_member", "reaches", "granted_by", "since")
    list_filter = (TenantFilter, "permission")
    list_select_related = ("member", "account", "connection")
    search_fields = ("member__name", "granted_by")
    search_ids = ("id", "member_id", "account_id", "connection_id")
    empty_hint = gettext_lazy("A tenant grants with POST /api/v1/members/{id}/grants; roles need no row here.")
    facts = ((gettext_lazy("Grant"), ("permission", "of_member", "reaches", "granted_by", "created_at", "id")),)
    service_actions = (
        ServiceAction(
            name="revoke",
            label=gettext_lazy("Revoke"),
            icon="key_off",
            run=_revoke,
            confirm=gettext_lazy("From their next request on the member has what their role gives, and other grants."),
            needs_reason=True,
            danger=True,
            sensitive=True,
        ),
    )

    @column(gettext_lazy("permission"))
    def what(self, grant: ObjectGrant) -> str:
        return _permission(grant)

    @column(gettext_lazy("member"))
    def of_member(self, grant: ObjectGrant) -> str:
        return link(record_url("tenants.membership", grant.member_id), grant.member.name)

    @column(gettext_lazy("for"))
    def reaches(self, grant: ObjectGrant) -> str:
        return _object(grant)

    @column(gettext_lazy("granted"))
    def since(self, grant: ObjectGrant) -> str:
        return moment(grant.created_at)

    def headline(self, grant: ObjectGrant) -> str:
        return _("%(permission)s for %(name)s") % {"permission": grant.permission, "name": grant.member.name}

    def status(self, grant: ObjectGrant) -> str:
        return chip(_("one account") if grant.object_type == ACCOUNT else _("one connection"))

    def related_links(self, grant: ObjectGrant) -> Sequence[tuple[str, str]]:
        return (
            (_("The member"), record_url("tenants.membership", grant.member_id)),
            (_("What was done with it"), about_url("audit.auditentry", grant)),
        )
