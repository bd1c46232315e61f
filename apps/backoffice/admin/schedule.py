"""The schedule. What is missing is written at start; staff may change, pause and resume."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from apps.backoffice import services
from apps.backoffice.admin.others import unregister
from apps.backoffice.admin.timing import timing_view
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
