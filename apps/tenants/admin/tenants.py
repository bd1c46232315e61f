"""Tenants, as staff see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    StaffModelAdmin,
    Table,
    changelist_url,
    chip,
    column,
    link,
    moment,
    record_url,
    status_chip,
)
from apps.core.models import ReadOnlySwitch
from apps.tenants.admin.explaining import explain_action
from apps.tenants.admin.keys import key_chip
from apps.tenants.admin.plans import plan_view, usage_table
from apps.tenants.enums import TenantStatus
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.services import (
    engage_read_only,
    reactivate_tenant,
    release_read_only,
    set_require_mfa,
    suspend_tenant,
)

_ROWS = 50

SUSPENDED = Outcome(message("%(count)s tenant suspended"), message("%(count)s tenants suspended"))
REACTIVATED = Outcome(message("%(count)s tenant reactivated"), message("%(count)s tenants reactivated"))
MFA_REQUIRED = Outcome(
    message("%(count)s tenant requires a second factor"), message("%(count)s tenants require a second factor")
)
MFA_RELAXED = Outcome(
    message("%(count)s tenant requires no second factor"), message("%(count)s tenants require no second factor")
)
ENGAGED = Outcome(message("Writing is off for %(count)s tenant"), message("Writing is off for %(count)s tenants"))
RELEASED = Outcome(message("Writing is on for %(count)s tenant"), message("Writing is on for %(count)s tenants"))


def _suspend(tenant: Tenant, actor: Actor, now: datetime, _reason: str) -> Outcome:
    suspend_tenant(tenant_id=tenant.pk, actor=actor, now=now)
    return SUSPENDED


def _reactivate(tenant: Tenant, actor: Actor, now: datetime, _reason: str) -> Outcome:
    reactivate_tenant(tenant_id=tenant.pk, actor=actor, now=now)
    return REACTIVATED


def _require_mfa(tenant: Tenant, actor: Actor, now: datetime, _reason: str) -> Outcome:
    set_require_mfa(tenant_id=tenant.pk, require_mfa=True, actor=actor, now=now)
    return MFA_REQUIRED


def _relax_mfa(tenant: Tenant, actor: Actor, now: datetime, _reason: str) -> Outcome:
    set_require_mfa(tenant_id=tenant.pk, require_mfa=False, actor=actor, now=now)
    return MFA_RELAXED


def _engage(tenant: Tenant, actor: Actor, now: datetime, reason: str) -> Outcome:
    engage_read_only(tenant_id=tenant.pk, reason=reason, actor=actor, now=now)
    return ENGAGED


def _release(tenant: Tenant, actor: Actor, now: datetime, reason: str) -> Outcome:
    release_read_only(tenant_id=tenant.pk, reason=reason, actor=actor, now=now)
    return RELEASED


@admin.register(Tenant)
class TenantAdmin(StaffModelAdmin):
    list_display = ("name", "slug", "state", "since")
    list_filter = ("status",)
    ordering = ("slug", "pk")
    search_fields = ("name", "slug")
    empty_hint = gettext_lazy("An operator creates tenants; the demo brings two.")
    facts = ((gettext_lazy("Tenant"), ("slug", "plan", "require_mfa", "created_at", "updated_at", "version", "id")),)
    service_actions = (
        ServiceAction(
            name="suspend",
            label=gettext_lazy("Suspend"),
            icon="block",
            run=_suspend,
            confirm=gettext_lazy("All credentials of the tenant are refused at once. Syncs and data stay as they are."),
            danger=True,
            sensitive=True,
            available=lambda tenant: tenant.status == TenantStatus.ACTIVE,
        ),
        ServiceAction(
            name="reactivate",
            label=gettext_lazy("Reactivate"),
            icon="play_arrow",
            run=_reactivate,
            sensitive=True,
            available=lambda tenant: tenant.status == TenantStatus.SUSPENDED,
        ),
        ServiceAction(
            name="plan",
            label=gettext_lazy("Plan and limits"),
            icon="speed",
            page=plan_view,
            sensitive=True,
        ),
        ServiceAction(
            name="require_mfa",
            label=gettext_lazy("Require a second factor"),
            icon="phonelink_lock",
            run=_require_mfa,
            confirm=gettext_lazy(
                "Members without one reach nothing at once but what adds one. API keys go on working."
            ),
            sensitive=True,
            available=lambda tenant: not tenant.require_mfa,
        ),
        ServiceAction(
            name="relax_mfa",
            label=gettext_lazy("Require no second factor"),
            icon="phonelink_erase",
            run=_relax_mfa,
            confirm=gettext_lazy("Members may work with their password alone from now on."),
            danger=True,
            sensitive=True,
            available=lambda tenant: tenant.require_mfa,
        ),
        explain_action("tenant"),
        ServiceAction(
            name="engage_read_only",
            label=gettext_lazy("Switch writing off"),
            icon="lock",
            run=_engage,
            confirm=gettext_lazy("Reads go on; writes are refused with your reason, and jobs wait."),
            needs_reason=True,
            danger=True,
            available=lambda tenant: tenant.read_only_reason is None,
        ),
        ServiceAction(
            name="release_read_only",
            label=gettext_lazy("Switch writing on"),
            icon="lock_open",
            run=_release,
            needs_reason=True,
            available=lambda tenant: tenant.read_only_reason is not None,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        switches = ReadOnlySwitch.objects.filter(tenant_id=OuterRef("pk")).values("reason")
        tenants: QuerySet[Any] = super().get_queryset(request).annotate(read_only_reason=Subquery(switches))
        return tenants

    @column(gettext_lazy("status"))
    def state(self, tenant: Tenant) -> str:
        if tenant.status == TenantStatus.ACTIVE and tenant.read_only_reason is not None:  # type: ignore[attr-defined]
            return chip(_("Read-only"), "warn")
        return status_chip(tenant)

    def status(self, tenant: Tenant) -> str:
        return self.state(tenant)

    @column(gettext_lazy("created"))
    def since(self, tenant: Tenant) -> str:
        return moment(tenant.created_at)

    def notice(self, tenant: Tenant) -> Notice | None:
        reason = tenant.read_only_reason  # type: ignore[attr-defined]  # annotated above
        if tenant.status == TenantStatus.ACTIVE and reason is not None:
            return Notice(_("Writing is switched off"), reason, _("Switch it on when the cause is gone."), "warn")
        if tenant.status == TenantStatus.ACTIVE:
            return None
        remedy = _("Reactivate the tenant to accept its keys and members again.")
        return Notice(_("Suspended"), _("Its API keys and members are refused."), remedy, "warn")

    def panels(self, request: HttpRequest, tenant: Tenant) -> Sequence[Panel]:
        members = Membership.objects.filter(tenant_id=tenant.pk).order_by("id")[:_ROWS]
        keys = ApiKey.objects.filter(tenant_id=tenant.pk).defer("secret_hash").order_by("-id")[:_ROWS]
        return [_members_table(members), _keys_table(keys), usage_table(tenant)]

    def related_links(self, tenant: Tenant) -> Sequence[tuple[str, str]]:
        key = tenant.pk
        return (
            (_("Connections"), changelist_url("providers.connection", tenant=key)),
            (_("Accounts"), changelist_url("accounts.account", tenant=key)),
            (_("Transactions"), changelist_url("accounts.transaction", tenant=key)),
            (_("Orders"), changelist_url("orders.order", tenant=key)),
            (_("Webhook endpoints"), changelist_url("webhooks.endpoint", tenant=key)),
            (_("Deliveries"), changelist_url("webhooks.delivery", tenant=key)),
            (_("Incidents"), changelist_url("incidents.incident", tenant=key)),
            (_("Jobs"), changelist_url("jobs.job", tenant=key)),
            (_("Audit log"), changelist_url("audit.auditentry", tenant=key)),
        )


def _members_table(members: QuerySet[Membership]) -> Table:
    rows = [
        [link(record_url("users.user", member.user_id), member.name), member.email, member.get_role_display()]
        for member in members
    ]
    return Table(_("Members"), [_("name"), _("email"), _("role")], rows, empty=_("Nobody yet."))


def _keys_table(keys: QuerySet[ApiKey]) -> Table:
    rows = [
        [
            link(record_url("tenants.apikey", key.pk), key.name),
            f"{key.prefix}…",
            key_chip(key),
            moment(key.last_used_at),
        ]
        for key in keys
    ]
    return Table(_("API keys"), [_("name"), _("prefix"), _("state"), _("last used")], rows, empty=_("None yet."))
