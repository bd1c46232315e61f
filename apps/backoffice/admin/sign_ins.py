"""Failed sign-ins: django-axes counts them per username, address and client."""

from collections.abc import Sequence
from datetime import datetime

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.backoffice import services
from apps.backoffice.admin.others import unregister
from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    Outcome,
    ServiceAction,
    StaffModelAdmin,
    chip,
    column,
    moment,
)
from apps.users.models import Lockout

LIFTED = Outcome(message("%(count)s lockout lifted"), message("%(count)s lockouts lifted"))

unregister(AccessAttempt, AccessFailureLog, AccessLog, Group)


def _lift(attempt: AccessAttempt, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.lift_lockout(username=attempt.username, ip=attempt.ip_address, actor=actor, now=now)
    return LIFTED


@admin.register(AccessAttempt)
class FailedSignInAdmin(StaffModelAdmin):
    never_read = ("get_data", "post_data")
    plural = gettext_lazy("failed sign-ins")
    list_display = ("who", "state", "until", "failures", "ip_address", "client", "last")
    list_select_related = ()
    ordering = ("-attempt_time", "-pk")
    search_fields = ("username", "ip_address__startswith")
    search_ids = ()
    empty_hint = gettext_lazy("Nobody has mistyped a password or a code since the last successful sign-in.")
    facts = ((gettext_lazy("Attempt"), ("username", "ip_address", "until", "client", "path_info", "attempt_time")),)
    service_actions = (
        ServiceAction(
            name="lift",
            label=gettext_lazy("Lift the lock"),
            icon="lock_open",
            run=_lift,
            confirm=gettext_lazy("The count starts anew. Make sure that it was the person themselves who failed."),
        ),
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[AccessAttempt]) -> None:
        names = {attempt.username for attempt in rows}
        lockouts = Lockout.objects.filter(username__in=names, locked_until__gt=clock.now())
        ends = {(lockout.username, lockout.ip): lockout.locked_until for lockout in lockouts}
        for attempt in rows:
            attempt.locked_until = ends.get((attempt.username, attempt.ip_address))

    @column(gettext_lazy("username"))
    def who(self, attempt: AccessAttempt) -> str:
        return str(attempt.username or "")

    @column(gettext_lazy("state"))
    def state(self, attempt: AccessAttempt) -> str:
        return chip(_("Locked"), "bad") if attempt.locked_until else chip(_("Counting"), "idle")

    @column(gettext_lazy("locked until"))
    def until(self, attempt: AccessAttempt) -> str:
        return moment(attempt.locked_until)

    @column(gettext_lazy("failures"))
    def failures(self, attempt: AccessAttempt) -> str:
        return f"{attempt.failures_since_start} / {settings.AXES_FAILURE_LIMIT}"

    @column(gettext_lazy("client"))
    def client(self, attempt: AccessAttempt) -> str:
        return str(attempt.user_agent[:60])

    @column(gettext_lazy("last attempt"))
    def last(self, attempt: AccessAttempt) -> str:
        return moment(attempt.attempt_time)

    def headline(self, attempt: AccessAttempt) -> str:
        return str(attempt.username or _("unknown"))

    def status(self, attempt: AccessAttempt) -> str:
        return self.state(attempt)
