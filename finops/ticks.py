"""Ticks of the schedule: each has its instant, by which it takes effect once, whoever sent it and how often.

The instants of an entry follow from what the database knows of it, so every beat names them alike. Beat puts the
instant on the message; the worker that moves `last_run_at` on to it runs the task, and whoever comes second does not.
See docs/adr/0022.
"""

from datetime import datetime, timedelta
from typing import Any

from celery import Task, schedules
from django.db.models import F, Q
from django_celery_beat.models import PeriodicTask

from apps.core import clock

HEADER = "finops_tick"
ENTRY_HEADER = "periodic_task_name"  # set by django-celery-beat
# What was missed for no longer than this, as while another beat takes over, is sent tick by tick; else only the last.
CATCH_UP = timedelta(seconds=10)
_STEPS = 10_000
# An instant further ahead than this was named by a clock that has been put right since; nobody waits until it has come.
AHEAD = timedelta(minutes=1)


def instant_due(schedule: schedules.BaseSchedule, *, last: datetime, now: datetime) -> datetime | None:
    """Return the instant of the tick that is due now, given that of the last one; None before the next.

    An interval's instants are multiples of it from the last one on, a crontab's those that it names.
    """
    every = interval_of(schedule)
    if every is not None:
        missed = (now - last) // every
        if missed < 1:
            return None
        return last + (every if now - last <= CATCH_UP else missed * every)
    instant = _after(schedule, last, now)
    if instant > now:
        return None
    for _step in range(_STEPS):
        following = _after(schedule, instant, now)
        if following > now or following <= instant:
            break
        instant = following
    return instant


def interval_of(schedule: schedules.BaseSchedule) -> timedelta | None:
    """Return the time between ticks, for schedules that have one."""
    every: timedelta | None = getattr(schedule, "run_every", None)
    return every


def _after(schedule: schedules.BaseSchedule, last: datetime, now: datetime) -> datetime:
    # The schedule says how far off it is from its own now: whole seconds undo what lies between the two.
    remaining = schedule.remaining_estimate(last)
    return (now + remaining + timedelta(milliseconds=500)).replace(microsecond=0)


def take(entry: str, instant: datetime) -> bool:
    """Tell whether this tick is the caller's to run: nobody has had it or a later one, and staff have not paused it."""
    is_new = Q(last_run_at=None) | Q(last_run_at__lt=instant) | Q(last_run_at__gt=clock.now() + AHEAD)
    mine = PeriodicTask.objects.filter(is_new, name=entry, enabled=True)
    return bool(mine.update(last_run_at=instant, total_run_count=F("total_run_count") + 1))


class TickedTask(Task):  # type: ignore[type-arg]  # generic in its stubs alone
    """A task that, sent by beat, runs once for each tick; sent by a wake, each time."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task unless somebody has had its tick."""
        instant = self.request.get(HEADER)
        if instant and not take(self.request.get(ENTRY_HEADER), datetime.fromisoformat(instant)):
            return None
        return super().__call__(*args, **kwargs)
