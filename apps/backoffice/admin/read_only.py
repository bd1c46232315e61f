"""Read-only switches: a tenant's is engaged on the tenant's page, the installation's on this list."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core.actor import Actor
from apps.core.admin import (
    Outcome,
    ServiceAction,
    StaffModelAdmin,
    chip,
    column,
    moment,
)
from apps.core.models import ReadOnlySwitch
from apps.core.scope import is_limited
from apps.tenants.services import engage_read_only, release_read_only

WRITING_OFF = Outcome(message("Writing is switched off"), message("Writing is switched off"))
WRITING_ON = Outcome(message("%(count)s switch released"), message("%(count)s switches released"))


def _engage_installation(_everything: str, actor: Actor, now: datetime, reason: str) -> Outcome:
    engage_read_only(tenant_id=None, reason=reason, actor=actor, now=now)
    return WRITING_OFF


def _release(switch: ReadOnlySwitch, actor: Actor, now: datetime, reason: str) -> Outcome:
    release_read_only(tenant_id=switch.tenant_id, reason=reason, actor=actor, now=now)
    return WRITING_ON


ENGAGE_INSTALLATION = ServiceAction(
    name="engage",
    label=gettext_lazy("Switch writing off"),
    icon="lock",
    run=_engage_installation,
    confirm=gettext_lazy("Every tenant's writes are refused with your reason, and jobs wait. Reads go on."),
    needs_reason=True,
    danger=True,
)


@admin.register(ReadOnlySwitch)
class ReadOnlyAdmin(StaffModelAdmin):
    plural = gettext_lazy("read-only switches")
    change_list_template = "backoffice/read_only.html"
    list_display = ("what", "reason", "since")
    ordering = ("-engaged_at", "-pk")
    search_fields = ("reason",)
    search_ids = ("id", "tenant_id")
    empty_hint = gettext_lazy("Writing is on everywhere. A tenant's is switched off on the tenant's page.")
    facts = ((gettext_lazy("Switch"), ("engaged_at", "tenant_id", "id")),)
    service_actions = (
        ServiceAction(
            name="release",
            label=gettext_lazy("Switch writing on"),
            icon="lock_open",
            run=_release,
            needs_reason=True,
        ),
    )

    @column(gettext_lazy("writing is off for"))
    def what(self, switch: ReadOnlySwitch) -> str:
        return chip(getattr(switch, "tenant_slug", "")) if switch.tenant_id else chip(_("Everybody"), "bad")

    @column(gettext_lazy("since"))
    def since(self, switch: ReadOnlySwitch) -> str:
        return moment(switch.engaged_at)

    def headline(self, switch: ReadOnlySwitch) -> str:
        return switch.reason

    def status(self, switch: ReadOnlySwitch) -> str:
        return self.what(switch)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Offer to switch off everybody's writing to whoever reaches everybody."""
        return super().changelist_view(request, {**(extra_context or {}), "may_stop_all": not is_limited()})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.engage_view)
        return [path("engage/", view, name="core_readonlyswitch_engage"), *super().get_urls()]

    def engage_view(self, request: HttpRequest) -> HttpResponse:
        """Switch the installation's writing off; POST only."""
        if request.method != "POST" or is_limited() or not request.user.has_perm("core.change_readonlyswitch"):
            raise PermissionDenied
        everything = _("The whole installation")
        back = reverse("admin:core_readonlyswitch_changelist")
        return self.perform(request, ENGAGE_INSTALLATION, [everything], back=back) or HttpResponseRedirect(back)

    def action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Lead to the list afterwards: what was released has no page any more."""
        response = super().action_view(request, object_id, name)
        if isinstance(response, HttpResponseRedirect):
            return HttpResponseRedirect(reverse("admin:core_readonlyswitch_changelist"))
        return response
