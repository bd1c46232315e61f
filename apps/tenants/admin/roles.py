"""Roles that tenants have defined, as staff see them: what each gives, and who has it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    Panel,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    column,
    link,
    moment,
    number,
    record_url,
    two_lines,
)
from apps.core.permissions import REGISTRY
from apps.tenants.models import Membership, TenantRole
from apps.tenants.selectors import remit_of_own

_ROWS = 50


@admin.register(TenantRole)
class TenantRoleAdmin(StaffModelAdmin):
    other_names = ("role",)
    list_display = ("role", "tenant", "permission_count", "condition_count", "member_count", "since")
    list_filter = (TenantFilter,)
    search_fields = ("slug", "name")
    empty_hint = gettext_lazy("A tenant defines roles with POST /api/v1/roles; the six built-in ones need no row.")
    facts = ((gettext_lazy("Role"), ("slug", "created_at", "updated_at", "version", "id")),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        roles: QuerySet[Any] = super().get_queryset(request).annotate(having=Count("members"))
        return roles

    @column(gettext_lazy("role"))
    def role(self, role: TenantRole) -> str:
        return two_lines(role.name, role.slug)

    @column(gettext_lazy("permissions"))
    def permission_count(self, role: TenantRole) -> str:
        return number(len(role.permissions))

    @column(gettext_lazy("under conditions"))
    def condition_count(self, role: TenantRole) -> str:
        return number(len(role.conditions))

    @column(gettext_lazy("members"))
    def member_count(self, role: TenantRole) -> str:
        return number(role.having)  # type: ignore[attr-defined]  # annotated above

    @column(gettext_lazy("created"))
    def since(self, role: TenantRole) -> str:
        return moment(role.created_at)

    def headline(self, role: TenantRole) -> str:
        return role.name

    def subtitle(self, role: TenantRole) -> str:
        return _("Members and invitations name it %(slug)s.") % {"slug": role.slug}

    def stats(self, role: TenantRole) -> Sequence[Stat]:
        return (
            Stat(_("Permissions"), self.permission_count(role)),
            Stat(_("Under conditions"), self.condition_count(role)),
            Stat(_("Members"), self.member_count(role)),
        )

    def panels(self, request: HttpRequest, role: TenantRole) -> Sequence[Panel]:
        members = Membership.objects.filter(tenant_id=role.tenant_id, tenant_role=role).order_by("id")[:_ROWS]
        return [_gives(role), _has(members)]

    def related_links(self, role: TenantRole) -> Sequence[tuple[str, str]]:
        return ((_("What was done with it"), about_url("audit.auditentry", role)),)


def _gives(role: TenantRole) -> Table:
    remit = remit_of_own(role)
    rows = [
        [
            two_lines(name, REGISTRY[name].description),
            str(REGISTRY[name].area),
            " · ".join(condition.text() for condition in remit.conditions.get(name, ())) or _("always"),
        ]
        for name in REGISTRY
        if name in remit.permissions
    ]
    return Table(_("What it gives"), [_("permission"), _("area"), _("when")], rows, empty=_("Nothing any more."))


def _has(members: QuerySet[Membership]) -> Table:
    rows = [
        [link(record_url("tenants.membership", member.pk), member.name), member.email, moment(member.created_at)]
        for member in members
    ]
    return Table(_("Who has it"), [_("name"), _("email"), _("member since")], rows, empty=_("Nobody yet."))
