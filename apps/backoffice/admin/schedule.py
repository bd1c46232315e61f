"""The schedule. What is missing is written at start; staff may change, pause and resume."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from apps.audit.models import AuditEntry
from apps.audit.opening import open_entries
from apps.backoffice import services
from apps.backoffice.admin.others import unregister
from apps.backoffice.admin.timing import timing_view
from apps.core.actor import Actor
from apps.core.admin import (
    NOTHING,
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    changelist_url,
    chip,
    column,
    exact,
    link,
    moment,
    number,
    record_url,
    two_lines,
)

_CHANGES = 10
PAUSED = Outcome(message("%(count)s task paused"), message("%(count)s tasks paused"))
RESUMED = Outcome(message("%(count)s task resumed"), message("%(count)s tasks resumed"))

unregister(ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule)


def _pause(task: PeriodicTask, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.set_task_enabled(task_id=task.pk, enabled=False, actor=actor, now=now)
    return PAUSED


def _resume(task: PeriodicTask, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.set_task_enabled(task_id=task.pk, enabled=True, actor=actor, now=now)
    return RESUMED


@admin.register(PeriodicTask)
class ScheduleAdmin(StaffModelAdmin):
    plural = gettext_lazy("schedule")
    list_display = ("title", "state", "every", "on_queue", "last_run", "times_figure")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab", "solar", "clocked")
    ordering = ("name", "pk")
    search_fields = ("name", "task")
    search_ids = ()
    empty_hint = gettext_lazy("Beat writes its schedule here when it starts; start it with “make run”.")
    facts = ((gettext_lazy("Task"), ("task_name", "on_queue", "every", "ran", "times_figure", "changed")),)
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
        if task.interval is None:
            return str(task.crontab or task.solar or task.clocked or "")
        return _("every %(time)s") % {"time": _told(task.interval)}

    @column(gettext_lazy("task"))
    def task_name(self, task: PeriodicTask) -> str:
        return str(task.task)

    @column(gettext_lazy("queue"))
    def on_queue(self, task: PeriodicTask) -> str:
        return str(task.queue or _("default"))

    @column(gettext_lazy("times run"))
    def times_figure(self, task: PeriodicTask) -> str:
        return number(task.total_run_count)

    @column(gettext_lazy("last run"))
    def ran(self, task: PeriodicTask) -> str:
        return exact(task.last_run_at)

    @column(gettext_lazy("changed"))
    def changed(self, task: PeriodicTask) -> str:
        return exact(task.date_changed)

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
        given = [part for part in (task.description, f"{task.args} {task.kwargs}") if part not in ("", "[] {}")]
        about = [Source(_("Description and arguments"), "\n".join(given))] if given else []
        return [*about, _changes_of(task)]

    def related_links(self, task: PeriodicTask) -> Sequence[tuple[str, str]]:
        return [
            (_("Who changed the schedule"), changelist_url("audit.auditentry", q="schedule.")),
            (_("Queue"), changelist_url("jobs.queue", q=task.queue or "default")),
        ]


def _told(interval: IntervalSchedule) -> str:
    """Return an interval in the largest unit that it is a whole number of."""
    seconds = int(timedelta(**{interval.period: interval.every}).total_seconds())
    for size, unit in ((3600, _("h")), (60, _("min")), (1, _("s"))):
        if seconds >= size and not seconds % size:
            return f"{number(seconds // size)} {unit}"
    return str(interval)


def _changes_of(task: PeriodicTask) -> Table:
    """Return who has changed, paused or resumed a task."""
    entries = AuditEntry.objects.filter(tenant_id=None, target_id=str(task.pk), target_type="periodic_task")
    rows = [
        [
            exact(opened.entry.at),
            link(record_url("audit.auditentry", opened.entry.pk), opened.entry.action),
            opened.label,
            ", ".join(sorted(opened.changes)) or NOTHING,
        ]
        for opened in open_entries(entries.order_by("-at", "-id")[:_CHANGES])
    ]
    headers = [_("when"), _("what"), _("who"), _("changed")]
    return Table(_("Changes"), headers, rows, _("Nobody has changed it: it runs as it was delivered."))
