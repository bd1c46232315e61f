"""Sessions of the API and of the admin, as staff see and end them."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
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
    changelist_url,
    chip,
    column,
    moment,
    one_of,
    record_url,
)
from apps.users import services
from apps.users.devices import device_name
from apps.users.models import Session, StaffSession
from apps.users.selectors import alive_at

SESSION_REVOKED = Outcome(message("%(count)s session revoked"), message("%(count)s sessions revoked"))
SESSION_OVER = Outcome(message("%(count)s was over already"), message("%(count)s were over already"))


def session_chip(session: Session | StaffSession) -> str:
    """Return whether a session is alive."""
    if session.revoked_at is not None:
        return chip(_("Revoked"), "idle")
    return chip(_("Expired"), "idle") if session.ends_at <= clock.now() else chip(_("Alive"), "ok")


def _revoke(session: Session, actor: Actor, now: datetime, reason: str) -> Outcome:
    revoked = services.revoke_any_session(session_id=session.pk, reason=reason, actor=actor, now=now)
    return SESSION_REVOKED if revoked else SESSION_OVER


def _end(session: StaffSession, actor: Actor, now: datetime, reason: str) -> Outcome:
    ended = services.revoke_staff_session(session_id=session.pk, reason=reason, actor=actor, now=now)
    return SESSION_REVOKED if ended else SESSION_OVER


ALIVE_FILTER = one_of(
    "state",
    gettext_lazy("state"),
    {
        "alive": (gettext_lazy("Alive"), lambda: alive_at(clock.now())),
        "over": (gettext_lazy("Over"), lambda: ~alive_at(clock.now())),
    },
)


@admin.register(Session)
class SessionAdmin(StaffModelAdmin):
    list_display = ("whose", "tenant", "state", "ip", "agent", "began", "used")
    list_filter = (TenantFilter, ALIVE_FILTER)
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
