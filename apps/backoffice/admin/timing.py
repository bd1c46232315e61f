"""Forms for what the platform does by itself: when a task of the schedule runs, how much of a queue runs at once."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.backoffice import services
from apps.core import clock
from apps.core.admin import ReasonForm, form_page, staff_actor
from apps.jobs.models import Queue

LARGEST = 1_000_000


class TimingForm(ReasonForm):
    """An interval or a crontab."""

    every = forms.IntegerField(
        label=gettext_lazy("Every"),
        help_text=gettext_lazy("Leave it empty for a crontab."),
        min_value=1,
        max_value=LARGEST,
        required=False,
    )
    period = forms.ChoiceField(
        label=gettext_lazy("Unit"),
        choices=[choice for choice in IntervalSchedule.PERIOD_CHOICES if choice[0] != IntervalSchedule.MICROSECONDS],
    )
    crontab = forms.CharField(
        label=gettext_lazy("Or by a crontab, in UTC"),
        help_text=gettext_lazy("Minute, hour, day of the month, month, day of the week: 0 4 * * 1-5"),
        max_length=200,
        required=False,
    )

    def clean(self) -> dict[str, object]:
        """Ask for one of the two."""
        given = super().clean() or self.cleaned_data
        fields = str(given.get("crontab") or "").split()
        if "every" not in self.errors and bool(given.get("every")) == bool(fields):
            raise forms.ValidationError(_("Give an interval or a crontab: one of the two."))
        if fields and len(fields) != len(services.Crontab._fields):
            self.add_error("crontab", _("A crontab has five fields, with spaces between them."))
        return given


def timing_view(request: HttpRequest, task: PeriodicTask) -> HttpResponse:
    """Show the form, then change when a task runs."""
    initial = {"every": task.interval.every, "period": task.interval.period} if task.interval else {}
    if task.crontab:
        initial = {"crontab": " ".join(getattr(task.crontab, name) for name in services.Crontab._fields)}
    form = TimingForm(request.POST) if "reason" in request.POST else TimingForm(initial=initial)

    def save() -> None:
        given = form.cleaned_data
        crontab = given["crontab"].split()
        services.set_task_timing(
            task_id=task.pk,
            interval=None if crontab else (given["every"], given["period"]),
            crontab=services.Crontab(*crontab) if crontab else None,
            reason=given["reason"],
            actor=staff_actor(request),
            now=clock.now(),
        )

    text = _("Most tasks are safety nets: what they sweep up is normally begun at once. Rarer means later, not never.")
    title = _("Change the schedule")
    done = _("The schedule is changed; beat follows it within seconds.")
    return form_page(request, task, form, save=save, title=title, text=text, submit=title, done=done)


class BoundsForm(ReasonForm):
    """A queue's bounds; empty is none."""

    max_running = forms.IntegerField(
        label=gettext_lazy("Jobs at once at most"),
        help_text=gettext_lazy("Over all workers. Empty: as many as there are workers. 0 holds the queue."),
        min_value=0,
        max_value=LARGEST,
        required=False,
    )
    max_running_per_tenant = forms.IntegerField(
        label=gettext_lazy("Jobs of one tenant at once at most"),
        help_text=gettext_lazy("Keeps one tenant's slow jobs from taking every worker. Empty: no bound."),
        min_value=1,
        max_value=LARGEST,
        required=False,
    )


def bounds_view(request: HttpRequest, queue: Queue) -> HttpResponse:
    """Show the form, then change a queue's bounds."""
    initial = {"max_running": queue.max_running, "max_running_per_tenant": queue.max_running_per_tenant}
    form = BoundsForm(request.POST) if "reason" in request.POST else BoundsForm(initial=initial)

    def save() -> None:
        services.set_queue_bounds(
            queue_id=queue.pk,
            max_running=form.cleaned_data["max_running"],
            max_running_per_tenant=form.cleaned_data["max_running_per_tenant"],
            reason=form.cleaned_data["reason"],
            actor=staff_actor(request),
            now=clock.now(),
        )

    text = _("A bound makes the leases of the queue come one after the other, so that it holds exactly.")
    title = _("Change the bounds")
    done = _("The bounds hold from now on; what runs goes on.")
    return form_page(request, queue, form, save=save, title=title, text=text, submit=title, done=done)
