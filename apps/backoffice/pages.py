"""Pages of what other packages and the core store: the schedule, failed sign-ins, read-only switches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from apps.backoffice import services
from apps.backoffice.timing import timing_view
from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    Source,
    StaffModelAdmin,
    Stat,
    chip,
    column,
    moment,
    number,
    two_lines,
)
from apps.core.models import ReadOnlySwitch
from apps.core.scope import is_limited
from apps.tenants.services import engage_read_only, release_read_only
from apps.users.models import Lockout

PAUSED = Outcome(message("%(count)s task paused"), message("%(count)s tasks paused"))
RESUMED = Outcome(message("%(count)s task resumed"), message("%(count)s tasks resumed"))
WRITING_OFF = Outcome(message("Writing is switched off"), message("Writing is switched off"))
WRITING_ON = Outcome(message("%(count)s switch released"), message("%(count)s switches released"))
LIFTED = Outcome(message("%(count)s lockout lifted"), message("%(count)s lockouts lifted"))

# Their own pages write past our services, or show what nobody needs.
_REPLACED = (
    AccessAttempt,
    AccessFailureLog,
    AccessLog,
    ClockedSchedule,
    CrontabSchedule,
    Group,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
for _model in _REPLACED:
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


# The schedule. What is missing is written at start; staff may change, pause and resume.


def _pause(task: PeriodicTask, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.set_task_enabled(task_id=task.pk, enabled=False, actor=actor, now=now)
    return PAUSED


def _resume(task: PeriodicTask, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.set_task_enabled(task_id=task.pk, enabled=True, actor=actor, now=now)
    return RESUMED


@admin.register(PeriodicTask)
class ScheduleAdmin(StaffModelAdmin):
    plural = gettext_lazy("schedule")
    list_display = ("title", "state", "every", "queue", "last_run", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab", "solar", "clocked")
    ordering = ("name", "pk")
    search_fields = ("name", "task")
    search_ids = ()
    empty_hint = gettext_lazy("Beat writes its schedule here when it starts; start it with “make run”.")
    facts = (
        (gettext_lazy("Task"), ("task", "queue", "every", "last_run_at", "total_run_count", "date_changed")),
        (gettext_lazy("Purpose"), ("description",)),
    )
    service_actions = (
        ServiceAction(name="timing", label=gettext_lazy("Change"), icon="tune", page=timing_view),
        ServiceAction(
            name="resume",
            label=gettext_lazy("Resume"),
            icon="play_arrow",
            run=_resume,
            available=lambda task: not task.enabled,
        ),
        ServiceAction(
            name="pause",
            label=gettext_lazy("Pause"),
            icon="pause",
            run=_pause,
            confirm=gettext_lazy("Beat stops sending the task until someone resumes it. What depends on it waits."),
            danger=True,
            available=lambda task: task.enabled,
        ),
    )

    @column(gettext_lazy("task"))
    def title(self, task: PeriodicTask) -> str:
        return two_lines(task.name, task.task if task.task != task.name else "")

    @column(gettext_lazy("state"))
    def state(self, task: PeriodicTask) -> str:
        return chip(_("Running"), "ok") if task.enabled else chip(_("Paused"), "warn")

    @column(gettext_lazy("schedule"))
    def every(self, task: PeriodicTask) -> str:
        return str(task.interval or task.crontab or task.solar or task.clocked or "")

    @column(gettext_lazy("last run"))
    def last_run(self, task: PeriodicTask) -> str:
        return moment(task.last_run_at)

    def headline(self, task: PeriodicTask) -> str:
        return str(task.name)

    def status(self, task: PeriodicTask) -> str:
        return self.state(task)

    def notice(self, task: PeriodicTask) -> Notice | None:
        """Warn about a paused task."""
        if task.enabled:
            return None
        return Notice(_("Paused"), _("Beat does not send it, so what it does waits."), _("Resume it."), "warn")

    def stats(self, task: PeriodicTask) -> Sequence[Stat]:
        return (
            Stat(_("Schedule"), self.every(task)),
            Stat(_("Last run"), moment(task.last_run_at)),
            Stat(_("Times run"), number(task.total_run_count)),
        )

    def panels(self, request: HttpRequest, task: PeriodicTask) -> Sequence[Panel]:
        return [Source(_("Arguments"), f"{task.args} {task.kwargs}")]


# Failed sign-ins: django-axes counts them per username, address and client.


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


# Read-only switches: a tenant's is engaged on the tenant's page, the installation's on this list.


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
