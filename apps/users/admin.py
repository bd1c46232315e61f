"""Users, their sessions and their authenticators, as staff see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message
from django_otp import user_has_device

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
    changelist_url,
    chip,
    column,
    link,
    moment,
    number,
    record_url,
    two_lines,
)
from apps.users import services
from apps.users.devices import device_name
from apps.users.models import Authenticator, Session, StaffSession, User
from apps.users.selectors import alive_at

_ROWS = 20
SESSION_REVOKED = Outcome(message("%(count)s session revoked"), message("%(count)s sessions revoked"))
SESSION_OVER = Outcome(message("%(count)s was over already"), message("%(count)s were over already"))


def session_chip(session: Session | StaffSession) -> str:
    """Return whether a session is alive."""
    if session.revoked_at is not None:
        return chip(_("Revoked"), "idle")
    return chip(_("Expired"), "idle") if session.ends_at <= clock.now() else chip(_("Alive"), "ok")


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


def _revoke(session: Session, actor: Actor, now: datetime, reason: str) -> Outcome:
    revoked = services.revoke_any_session(session_id=session.pk, reason=reason, actor=actor, now=now)
    return SESSION_REVOKED if revoked else SESSION_OVER


class AliveFilter(SimpleListFilter):
    """Alive or over."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("alive", _("Alive")), ("over", _("Over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        alive = alive_at(clock.now())
        return queryset.filter({"alive": alive, "over": ~alive}.get(self.value() or "", Q()))


def _end(session: StaffSession, actor: Actor, now: datetime, reason: str) -> Outcome:
    ended = services.revoke_staff_session(session_id=session.pk, reason=reason, actor=actor, now=now)
    return SESSION_REVOKED if ended else SESSION_OVER


@admin.register(StaffSession)
class StaffSessionAdmin(StaffModelAdmin):
    never_read = ("key_hash", "session_data")
    list_display = ("whose", "state", "ip", "agent", "began", "used")
    list_select_related = ("user",)
    search_fields = ("user__username", "ip__startswith")
    search_ids = ("id", "user_id")
    empty_hint = gettext_lazy("Nobody has signed in to the admin yet.")
    facts = ((gettext_lazy("Session"), ("ip", "user_agent", "created_at", "last_used_at", "revoked_at", "id")),)
    service_actions = (
        ServiceAction(
            name="revoke",
            label=gettext_lazy("Revoke"),
            icon="logout",
            run=_end,
            confirm=gettext_lazy("The staff member is signed out of the admin at once."),
            needs_reason=True,
            danger=True,
            sensitive=True,
            available=lambda session: session.revoked_at is None and session.ends_at > clock.now(),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffSession]:
        rows: QuerySet[StaffSession] = super().get_queryset(request)
        return rows.filter(user__isnull=False)

    @column(gettext_lazy("user"))
    def whose(self, session: StaffSession) -> str:
        return session.user.username if session.user else ""

    @column(gettext_lazy("state"))
    def state(self, session: StaffSession) -> str:
        return session_chip(session)

    @column(gettext_lazy("device"))
    def agent(self, session: StaffSession) -> str:
        return device_name(session.user_agent)

    @column(gettext_lazy("signed in"))
    def began(self, session: StaffSession) -> str:
        return moment(session.created_at)

    @column(gettext_lazy("last used"))
    def used(self, session: StaffSession) -> str:
        return moment(session.last_used_at)

    def headline(self, session: StaffSession) -> str:
        return self.whose(session)

    def status(self, session: StaffSession) -> str:
        return session_chip(session)

    def stats(self, session: StaffSession) -> Sequence[Stat]:
        return (
            Stat(_("Signed in"), moment(session.created_at)),
            Stat(_("Last used"), moment(session.last_used_at)),
            Stat(_("Ends"), moment(session.ends_at)),
        )


@admin.register(Session)
class SessionAdmin(StaffModelAdmin):
    list_display = ("whose", "tenant", "state", "ip", "agent", "began", "used")
    list_filter = (TenantFilter, AliveFilter)
    list_select_related = ("user",)
    search_fields = ("user__username", "ip__startswith")
    search_ids = ("id", "user_id")
    empty_hint = gettext_lazy("A session begins with POST /api/v1/auth/token.")
    facts = (
        (gettext_lazy("Session"), ("ip", "user_agent", "created_at", "last_used_at", "expires_at", "revoked_at", "id")),
    )
    service_actions = (
        ServiceAction(
            name="revoke",
            label=gettext_lazy("Revoke"),
            icon="logout",
            run=_revoke,
            confirm=gettext_lazy("The user is signed out of the API at once and has to sign in again."),
            needs_reason=True,
            danger=True,
            sensitive=True,
            available=lambda session: session.revoked_at is None,
        ),
    )

    @column(gettext_lazy("user"))
    def whose(self, session: Session) -> str:
        return session.user.username

    @column(gettext_lazy("state"))
    def state(self, session: Session) -> str:
        return session_chip(session)

    @column(gettext_lazy("device"))
    def agent(self, session: Session) -> str:
        return device_name(session.user_agent)

    @column(gettext_lazy("signed in"))
    def began(self, session: Session) -> str:
        return moment(session.created_at)

    @column(gettext_lazy("last used"))
    def used(self, session: Session) -> str:
        return moment(session.last_used_at)

    def headline(self, session: Session) -> str:
        return session.user.username

    def status(self, session: Session) -> str:
        return session_chip(session)

    def stats(self, session: Session) -> Sequence[Stat]:
        return (
            Stat(_("Signed in"), moment(session.created_at)),
            Stat(_("Last used"), moment(session.last_used_at)),
            Stat(_("Ends"), moment(session.ends_at)),
        )

    def related_links(self, session: Session) -> Sequence[tuple[str, str]]:
        return (
            (_("User"), record_url("users.user", session.user_id)),
            (_("Audit log"), changelist_url("audit.auditentry", q=session.pk)),
        )


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
