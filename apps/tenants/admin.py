"""Tenants, members and API keys, as staff see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    changelist_url,
    chip,
    column,
    link,
    moment,
    record_url,
    status_chip,
    two_lines,
)
from apps.core.models import ReadOnlySwitch
from apps.tenants.enums import Role, TenantStatus
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.services import (
    change_role,
    engage_read_only,
    reactivate_tenant,
    release_read_only,
    remove_member,
    revoke_api_key,
    suspend_tenant,
)

_ROWS = 50

SUSPENDED = Outcome(message("%(count)s tenant suspended"), message("%(count)s tenants suspended"))
REACTIVATED = Outcome(message("%(count)s tenant reactivated"), message("%(count)s tenants reactivated"))
ENGAGED = Outcome(message("Writing is off for %(count)s tenant"), message("Writing is off for %(count)s tenants"))
RELEASED = Outcome(message("Writing is on for %(count)s tenant"), message("Writing is on for %(count)s tenants"))
REVOKED = Outcome(message("%(count)s key revoked"), message("%(count)s keys revoked"))
ROLE_CHANGED = Outcome(message("%(count)s member has the role"), message("%(count)s members have the role"))
REMOVED = Outcome(message("%(count)s member removed"), message("%(count)s members removed"))
REVOKED_BEFORE = Outcome(message("%(count)s was revoked before"), message("%(count)s were revoked before"))


def _suspend(tenant: Tenant, actor: Actor, now: datetime, _reason: str) -> Outcome:
    suspend_tenant(tenant_id=tenant.pk, actor=actor, now=now)
    return SUSPENDED


def _reactivate(tenant: Tenant, actor: Actor, now: datetime, _reason: str) -> Outcome:
    reactivate_tenant(tenant_id=tenant.pk, actor=actor, now=now)
    return REACTIVATED


def _engage(tenant: Tenant, actor: Actor, now: datetime, reason: str) -> Outcome:
    engage_read_only(tenant_id=tenant.pk, reason=reason, actor=actor, now=now)
    return ENGAGED


def _release(tenant: Tenant, actor: Actor, now: datetime, reason: str) -> Outcome:
    release_read_only(tenant_id=tenant.pk, reason=reason, actor=actor, now=now)
    return RELEASED


def _revoke(key: ApiKey, actor: Actor, now: datetime, _reason: str) -> Outcome:
    revoked = revoke_api_key(api_key_id=key.pk, actor=actor, now=now)
    return REVOKED if revoked.revoked_at == now else REVOKED_BEFORE


def _change_role(member: Membership, actor: Actor, now: datetime, role: str) -> Outcome:
    change_role(member_id=member.pk, role=Role(role), actor=actor, now=now)
    return ROLE_CHANGED


def _remove(member: Membership, actor: Actor, now: datetime, reason: str) -> Outcome:
    remove_member(member_id=member.pk, reason=reason, actor=actor, now=now)
    return REMOVED


def key_chip(key: ApiKey) -> str:
    """Return whether a key works."""
    if key.revoked_at is not None:
        return chip(_("Revoked"), "idle")
    if key.expires_at is not None and key.expires_at <= clock.now():
        return chip(_("Expired"), "warn")
    return chip(_("Active"), "ok")


@admin.register(Tenant)
class TenantAdmin(StaffModelAdmin):
    list_display = ("name", "slug", "state", "since")
    list_filter = ("status",)
    ordering = ("slug", "pk")
    search_fields = ("name", "slug")
    empty_hint = gettext_lazy("An operator creates tenants; the demo brings two.")
    facts = ((gettext_lazy("Tenant"), ("slug", "created_at", "updated_at", "version", "id")),)
    service_actions = (
        ServiceAction(
            name="suspend",
            label=gettext_lazy("Suspend"),
            icon="block",
            run=_suspend,
            confirm=gettext_lazy("All credentials of the tenant are refused at once. Syncs and data stay as they are."),
            danger=True,
            available=lambda tenant: tenant.status == TenantStatus.ACTIVE,
        ),
        ServiceAction(
            name="reactivate",
            label=gettext_lazy("Reactivate"),
            icon="play_arrow",
            run=_reactivate,
            available=lambda tenant: tenant.status == TenantStatus.SUSPENDED,
        ),
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
        return [_members_table(members), _keys_table(keys)]

    def related_links(self, tenant: Tenant) -> Sequence[tuple[str, str]]:
        key = tenant.pk
        return (
            (_("Connections"), changelist_url("providers.connection", tenant=key)),
            (_("Accounts"), changelist_url("accounts.account", tenant=key)),
            (_("Transactions"), changelist_url("accounts.transaction", tenant=key)),
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


@admin.register(Membership)
class MembershipAdmin(StaffModelAdmin):
    list_display = ("name", "tenant", "role_name", "email", "since")
    list_filter = (TenantFilter, "role")
    search_fields = ("name", "email")
    search_ids = ("id", "user_id")
    empty_hint = gettext_lazy("A tenant's owner invites its members.")
    facts = ((gettext_lazy("Membership"), ("role", "email", "created_at", "updated_at", "id")),)
    service_actions = (
        ServiceAction(
            name="change_role",
            label=gettext_lazy("Change role"),
            icon="badge",
            run=_change_role,
            options=Role.choices,
            options_label=gettext_lazy("Role"),
        ),
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


class KeyStateFilter(SimpleListFilter):
    """Active, expired or revoked."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", _("Active")), ("expired", _("Expired")), ("revoked", _("Revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        expired = Q(expires_at__lte=clock.now())
        states = {
            "active": Q(revoked_at=None) & ~expired,
            "expired": Q(revoked_at=None) & expired,
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(states.get(self.value() or "", Q()))


@admin.register(ApiKey)
class ApiKeyAdmin(StaffModelAdmin):
    never_read = ("secret_hash",)
    list_display = ("key", "tenant", "state", "mode", "scope_count", "last_use", "expiry")
    list_filter = (TenantFilter, KeyStateFilter, "mode")
    search_fields = ("name", "prefix")
    empty_hint = gettext_lazy("A tenant creates keys with POST /api/v1/api-keys; the secret is shown once.")
    facts = (
        (
            gettext_lazy("Key"),
            ("prefix", "mode", "created_by", "created_at", "last_used_at", "expires_at", "revoked_at", "id"),
        ),
        (gettext_lazy("May"), ("networks", "permissions")),
    )
    service_actions = (
        ServiceAction(
            name="revoke",
            label=gettext_lazy("Revoke"),
            icon="key_off",
            run=_revoke,
            confirm=gettext_lazy("Requests with the key are refused at once. This cannot be undone."),
            danger=True,
            available=lambda key: key.revoked_at is None,
        ),
    )

    @column(gettext_lazy("key"))
    def key(self, key: ApiKey) -> str:
        return two_lines(key.name, f"{key.prefix}…")

    @column(gettext_lazy("state"))
    def state(self, key: ApiKey) -> str:
        return key_chip(key)

    @column(gettext_lazy("permissions"))
    def scope_count(self, key: ApiKey) -> str:
        return str(len(key.scopes))

    @column(gettext_lazy("last used"))
    def last_use(self, key: ApiKey) -> str:
        return moment(key.last_used_at)

    @column(gettext_lazy("expires"))
    def expiry(self, key: ApiKey) -> str:
        return moment(key.expires_at)

    @column(gettext_lazy("networks"))
    def networks(self, key: ApiKey) -> str:
        return ", ".join(key.allowed_networks) or _("every address")

    @column(gettext_lazy("permissions"))
    def permissions(self, key: ApiKey) -> str:
        return ", ".join(sorted(key.scopes))

    def headline(self, key: ApiKey) -> str:
        return key.name

    def status(self, key: ApiKey) -> str:
        return key_chip(key)

    def stats(self, key: ApiKey) -> Sequence[Stat]:
        return (
            Stat(_("Last used"), moment(key.last_used_at)),
            Stat(_("Expires"), moment(key.expires_at)),
            Stat(_("Mode"), key.get_mode_display()),
        )

    def related_links(self, key: ApiKey) -> Sequence[tuple[str, str]]:
        return ((_("Everything it did"), about_url("audit.auditentry", key)),)
