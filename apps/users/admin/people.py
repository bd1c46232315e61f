"""Users, as staff see them."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp import user_has_device

from apps.core.admin import (
    Notice,
    Panel,
    StaffModelAdmin,
    Table,
    changelist_url,
    chip,
    column,
    link,
    moment,
    record_url,
    two_lines,
)
from apps.users.admin.sessions import session_chip
from apps.users.models import User

_ROWS = 20


@admin.register(User)
class UserAdmin(StaffModelAdmin):
    list_display = ("person", "kind", "active", "email", "joined", "last_seen")
    list_filter = ("is_staff", "is_active")
    search_fields = ("username", "display_name", "email")
    ordering = ("username", "pk")
    empty_hint = gettext_lazy("Members join by invitation; operators create staff.")
    facts = (
        (gettext_lazy("User"), ("username", "display_name", "email", "date_joined", "last_login", "id")),
        (gettext_lazy("May"), ("is_staff", "is_superuser", "is_active")),
    )

    @column(gettext_lazy("user"))
    def person(self, user: User) -> str:
        return two_lines(user.username, user.display_name)

    @column(gettext_lazy("kind"))
    def kind(self, user: User) -> str:
        return chip(_("Staff"), "info") if user.is_staff else chip(_("Member"), "idle")

    @column(gettext_lazy("state"))
    def active(self, user: User) -> str:
        return chip(_("Active"), "ok") if user.is_active else chip(_("Deactivated"), "idle")

    @column(gettext_lazy("joined"))
    def joined(self, user: User) -> str:
        return moment(user.date_joined)

    @column(gettext_lazy("last signed in"))
    def last_seen(self, user: User) -> str:
        return moment(user.last_login)

    def headline(self, user: User) -> str:
        return user.get_full_name()

    def status(self, user: User) -> str:
        return self.active(user)

    def subtitle(self, user: User) -> str:
        return user.email

    def notice(self, user: User) -> Notice | None:
        if not user.is_staff or user_has_device(user):
            return None
        remedy = _("Run “manage.py enrol_staff %(username)s” and let them scan the QR code.") % {
            "username": user.username
        }
        return Notice(_("This staff user cannot sign in"), _("There is no confirmed authenticator."), remedy, "warn")

    def panels(self, request: HttpRequest, user: User) -> Sequence[Panel]:
        sessions = list(user.sessions.order_by("-id")[:_ROWS])
        slugs = self.admin_site.tenant_slugs({session.tenant_id for session in sessions})
        rows = [
            [
                link(record_url("users.session", session.pk), moment(session.created_at)),
                chip(slugs.get(session.tenant_id, "")),
                session_chip(session),
                session.ip or "",
                moment(session.last_used_at),
            ]
            for session in sessions
        ]
        headers = [_("signed in"), _("tenant"), _("state"), _("IP address"), _("last used")]
        return [Table(_("API sessions"), headers, rows, empty=_("Never signed in to the API."))]

    def related_links(self, user: User) -> Sequence[tuple[str, str]]:
        return (
            (_("Memberships"), changelist_url("tenants.membership", q=user.pk)),
            (_("Authenticators"), changelist_url("users.authenticator", q=user.username)),
            (_("Everything they did"), changelist_url("audit.auditentry", q=user.pk)),
        )
