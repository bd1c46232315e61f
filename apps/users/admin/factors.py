"""Second factors, as staff see them."""

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import (
    StaffModelAdmin,
    chip,
    column,
    moment,
    number,
)
from apps.users.models import Authenticator


@admin.register(Authenticator)
class AuthenticatorAdmin(StaffModelAdmin):
    plural = gettext_lazy("authenticators")
    never_read = ("sealed_seed",)
    list_display = ("whose", "name", "state", "failures", "used")
    list_filter = ("confirmed",)
    list_select_related = ("user",)
    search_fields = ("user__username", "name")
    search_ids = ("user_id",)
    empty_hint = gettext_lazy("“manage.py enrol_staff USERNAME” enrols a staff user.")
    facts = (
        (
            gettext_lazy("Authenticator"),
            ("name", "created_at", "last_used_at", "throttling_failure_count", "key_id", "id"),
        ),
    )

    @column(gettext_lazy("user"))
    def whose(self, device: Authenticator) -> str:
        return str(device.user.username)

    @column(gettext_lazy("state"))
    def state(self, device: Authenticator) -> str:
        return chip(_("Confirmed"), "ok") if device.confirmed else chip(_("Not confirmed"), "warn")

    @column(gettext_lazy("wrong codes in a row"))
    def failures(self, device: Authenticator) -> str:
        return number(device.throttling_failure_count)

    @column(gettext_lazy("last used"))
    def used(self, device: Authenticator) -> str:
        return moment(device.last_used_at)

    def headline(self, device: Authenticator) -> str:
        return f"{device.user.username} · {device.name}"

    def status(self, device: Authenticator) -> str:
        return self.state(device)
