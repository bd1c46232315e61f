"""API keys, as staff see them."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    Outcome,
    ServiceAction,
    StaffModelAdmin,
    Stat,
    TenantFilter,
    about_url,
    chip,
    column,
    moment,
    one_of,
    two_lines,
)
from apps.tenants.admin.explaining import explain_action
from apps.tenants.models import ApiKey
from apps.tenants.services import (
    revoke_api_key,
)

REVOKED = Outcome(message("%(count)s key revoked"), message("%(count)s keys revoked"))
REVOKED_BEFORE = Outcome(message("%(count)s was revoked before"), message("%(count)s were revoked before"))


def _revoke(key: ApiKey, actor: Actor, now: datetime, _reason: str) -> Outcome:
    revoked = revoke_api_key(api_key_id=key.pk, actor=actor, now=now)
    return REVOKED if revoked.revoked_at == now else REVOKED_BEFORE


def key_chip(key: ApiKey) -> str:
    """Return whether a key works."""
    if key.revoked_at is not None:
        return chip(_("Revoked"), "idle")
    if key.expires_at is not None and key.expires_at <= clock.now():
        return chip(_("Expired"), "warn")
    return chip(_("Active"), "ok")


def _has_expired() -> Q:
    return Q(expires_at__lte=clock.now())


STATE_FILTER = one_of(
    "state",
    gettext_lazy("state"),
    {
        "active": (gettext_lazy("Active"), lambda: Q(revoked_at=None) & ~_has_expired()),
        "expired": (gettext_lazy("Expired"), lambda: Q(revoked_at=None) & _has_expired()),
        "revoked": (gettext_lazy("Revoked"), Q(revoked_at__isnull=False)),
    },
)


@admin.register(ApiKey)
class ApiKeyAdmin(StaffModelAdmin):
    never_read = ("secret_hash",)
    list_display = ("key", "tenant", "state", "mode", "scope_count", "last_use", "expiry")
    list_filter = (TenantFilter, STATE_FILTER, "mode")
    search_fields = ("name", "prefix")
    empty_hint = gettext_lazy("A tenant creates keys with POST /api/v1/api-keys; the secret is shown once.")
    facts = (
        (
            gettext_lazy("Key"),
            (
                "prefix",
                "mode",
                "created_by",
                "created_at",
                "last_used_at",
                "expires_at",
                "revoked_at",
                "replaced_by",
                "id",
            ),
        ),
        (gettext_lazy("May"), ("networks", "permissions")),
    )
    service_actions = (
        explain_action("key"),
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
