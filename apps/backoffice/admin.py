"""Staff actions that are composed in the back office, and the schedule."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from apps.backoffice import services
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
    contribute_actions,
    moment,
    number,
    two_lines,
)
from apps.incidents.enums import IncidentState
from apps.incidents.models import Incident
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.users.models import Session

REPLAYED = Outcome(message("%(count)s job queued again"), message("%(count)s jobs queued again"))
DISCARDED = Outcome(message("%(count)s job discarded"), message("%(count)s jobs discarded"))
ACKNOWLEDGED = Outcome(message("%(count)s incident acknowledged"), message("%(count)s incidents acknowledged"))
RESOLVED = Outcome(message("%(count)s incident resolved"), message("%(count)s incidents resolved"))
SESSION_REVOKED = Outcome(message("%(count)s session revoked"), message("%(count)s sessions revoked"))
SESSION_OVER = Outcome(message("%(count)s was over already"), message("%(count)s were over already"))
PAUSED = Outcome(message("%(count)s task paused"), message("%(count)s tasks paused"))
RESUMED = Outcome(message("%(count)s task resumed"), message("%(count)s tasks resumed"))


def _replay(job: Job, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.replay_dead_letter(job_id=job.pk, actor=actor, now=now)
    return REPLAYED


def _discard(job: Job, actor: Actor, now: datetime, reason: str) -> Outcome:
    services.discard_dead_letter(job_id=job.pk, reason=reason, actor=actor, now=now)
    return DISCARDED


def _acknowledge(incident: Incident, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.acknowledge(incident_id=incident.pk, actor=actor, now=now)
    return ACKNOWLEDGED


def _resolve(incident: Incident, actor: Actor, now: datetime, reason: str) -> Outcome:
    services.resolve(incident_id=incident.pk, reason=reason, actor=actor, now=now)
    return RESOLVED


def _revoke_session(session: Session, actor: Actor, now: datetime, reason: str) -> Outcome:
    revoked = services.revoke_session(session_id=session.pk, reason=reason, actor=actor, now=now)
    return SESSION_REVOKED if revoked else SESSION_OVER


contribute_actions(
    Job,
    ServiceAction(
        name="replay",
        label=gettext_lazy("Replay"),
        icon="replay",
        run=_replay,
        available=lambda job: job.state in (JobState.DEAD, JobState.DISCARDED),
    ),
    ServiceAction(
        name="discard",
        label=gettext_lazy("Discard"),
        icon="delete_sweep",
        run=_discard,
        confirm=gettext_lazy("The work will not be done. The row stays, and can still be replayed."),
        needs_reason=True,
        danger=True,
        available=lambda job: job.state in (JobState.DEAD, JobState.QUEUED),
    ),
)
contribute_actions(
    Incident,
    ServiceAction(
        name="acknowledge",
        label=gettext_lazy("Acknowledge"),
        icon="visibility",
        run=_acknowledge,
        available=lambda incident: incident.state == IncidentState.OPEN,
    ),
    ServiceAction(
        name="resolve",
        label=gettext_lazy("Resolve"),
        icon="task_alt",
        run=_resolve,
        confirm=gettext_lazy("Say what was done. If the trouble returns, a new incident opens."),
        needs_reason=True,
        available=lambda incident: incident.state != IncidentState.RESOLVED,
    ),
)
contribute_actions(
    Session,
    ServiceAction(
        name="revoke",
        label=gettext_lazy("Revoke"),
        icon="logout",
        run=_revoke_session,
        confirm=gettext_lazy("The user is signed out of the API at once and has to sign in again."),
        needs_reason=True,
        danger=True,
        available=lambda session: session.revoked_at is None,
    ),
)


# The schedule. What runs when is set at start; staff may pause and resume.

for _model in (Group, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule, PeriodicTask):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


def _pause(task: PeriodicTask, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.set_task_enabled(task_id=task.pk, enabled=False, actor=actor, now=now)
    return PAUSED


def _resume(task: PeriodicTask, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.set_task_enabled(task_id=task.pk, enabled=True, actor=actor, now=now)
    return RESUMED


@admin.register(PeriodicTask)
class ScheduleAdmin(StaffModelAdmin):
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[PeriodicTask]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    @column(gettext_lazy("task"))
    def title(self, task: PeriodicTask) -> str:
        return two_lines(task.name, task.task if task.task != task.name else "")

    @column(gettext_lazy("state"))
    def state(self, task: PeriodicTask) -> str:
        return chip(_("Running"), "ok") if task.enabled else chip(_("Paused"), "warn")

    @column(gettext_lazy("schedule"))
    def every(self, task: PeriodicTask) -> str:
        return str(task.interval or task.crontab or task.solar or task.clocked or "")

    @column(gettext_lazy("last sent"))
    def last_run(self, task: PeriodicTask) -> str:
        return moment(task.last_run_at)

    def headline(self, task: PeriodicTask) -> str:
        return task.name

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
            Stat(_("Last sent"), moment(task.last_run_at)),
            Stat(_("Times sent"), number(task.total_run_count)),
        )

    def panels(self, request: HttpRequest, task: PeriodicTask) -> Sequence[Panel]:
        return [Source(_("Arguments"), f"{task.args} {task.kwargs}")]
