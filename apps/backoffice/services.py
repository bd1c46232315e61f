"""What staff do beyond a single room: an operation of a lower room and its audit leaf, in one transaction."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from axes.utils import reset as forget_failures
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from apps.audit.services import record, visitors_of
from apps.audit.types import Personal
from apps.core import context
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.errors import ValidationFailed
from apps.core.scope import require_whole_installation, staff_scope
from apps.jobs.services import set_bounds
from apps.users.models import Authenticator, User
from apps.users.services import add_totp_device, is_locked_out, record_refusal, remove_all_factors, visitor
from apps.users.types import Origin


class Crontab(NamedTuple):
    """The five fields of a crontab, in its order."""

    minute: str
    hour: str
    day_of_month: str
    month_of_year: str
    day_of_week: str


def enrol_authenticator(*, user: User, actor: Actor, now: datetime) -> Authenticator:
    """Give a user a new authenticator in the place of all earlier factors; their API sessions end."""
    with staff_scope():
        remove_all_factors(user=user, actor=actor, now=now)
        return add_totp_device(user=user, actor=actor, now=now)


def lift_lockout(*, username: str, ip: str | None, actor: Actor, now: datetime) -> int:
    """Forget the failed sign-ins of a username from an address; return how many attempts were forgotten."""
    with staff_scope():
        count: int = forget_failures(username=username, ip=ip)
        named = User.objects.filter(username=username).values_list("pk", flat=True).first()
        record(
            action="staff.lockout_lifted",
            actor=actor,
            target_type="lockout",
            target_id="sign-in",
            now=now,
            changes={"attempts": [count, 0]},
            personal=Personal(named or visitors_of(now), {"username": [username, None], "ip": [ip, None]}),
        )
    return count


def set_task_enabled(*, task_id: int, enabled: bool, actor: Actor, now: datetime) -> None:
    """Pause or resume a task of the schedule; beat notices within seconds.

    Raises:
        NotFound: there is no such task.
    """
    with staff_scope():
        task = get_one(PeriodicTask.objects.select_for_update().filter(pk=task_id))
        changes = {"enabled": [task.enabled, enabled], "name": [task.name, task.name]}
        task.enabled = enabled
        task.save()  # it also tells beat that the schedule has changed
        action = "schedule.resumed" if enabled else "schedule.paused"
        record(
            action=action, actor=actor, target_type="periodic_task", target_id=str(task_id), now=now, changes=changes
        )


def set_task_timing(
    *, task_id: int, interval: tuple[int, str] | None, crontab: Crontab | None, reason: str, actor: Actor, now: datetime
) -> None:
    """Set when a task of the schedule runs: every so many of a unit, or by a crontab in UTC; beat notices in seconds.

    Raises:
        NotFound: there is no such task.
        ValidationFailed: the crontab has a field that is none.
    """
    with staff_scope():
        require_whole_installation()
        task = get_one(PeriodicTask.objects.select_for_update().filter(pk=task_id))
        before = str(task.schedule)
        task.interval = _same_row(IntervalSchedule(every=interval[0], period=interval[1])) if interval else None
        task.crontab = _same_row(CrontabSchedule(**crontab._asdict(), timezone=UTC)) if crontab else None
        task.solar = task.clocked = None
        task.save()
        changes = {"timing": [before, str(task.schedule)], "name": [task.name, task.name], "reason": [None, reason]}
        record(
            action="schedule.changed",
            actor=actor,
            target_type="periodic_task",
            target_id=str(task_id),
            now=now,
            changes=changes,
        )


def _same_row(schedule: Any) -> Any:
    """Return the stored row that says the same, or store this one."""
    try:
        schedule.full_clean()
        _ = schedule.schedule  # which refuses a crontab whose fields are right and whose day never comes
    except ValidationError as error:
        raise ValidationFailed(" ".join(error.messages)) from error
    except ValueError as error:
        raise ValidationFailed(str(error)) from error
    fields = {field.attname: getattr(schedule, field.attname) for field in schedule._meta.fields if field.name != "id"}
    found = type(schedule).objects.filter(**fields).order_by("pk").first()
    if found is None:
        schedule.save()
    return found or schedule


def set_queue_bounds(
    *,
    queue_id: UUID,
    max_running: int | None,
    max_running_per_tenant: int | None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Set how many of a queue's jobs run at once.

    Raises:
        NotFound, PermissionMissing: see `apps.jobs.services.set_bounds`.
    """
    with staff_scope():
        queue, changes = set_bounds(
            queue_id=queue_id, max_running=max_running, max_running_per_tenant=max_running_per_tenant, now=now
        )
        leaf = {**changes, "name": [queue.name, queue.name], "reason": [None, reason]}
        record(
            action="queue.bounds_changed", actor=actor, target_type="queue", target_id=queue_id, now=now, changes=leaf
        )


# Signing in happens before any tenant: the leaves go to the installation's own log.


def record_sign_in(*, actor: Actor, factor: str, now: datetime) -> None:
    """Record that a staff user signed in, and by which second factor."""
    _record_access("staff.signed_in", actor, actor.user_id, now, {"factor": [None, factor]})


def record_sign_out(*, actor: Actor, now: datetime) -> None:
    """Record that a staff user signed out."""
    _record_access("staff.signed_out", actor, actor.user_id, now)


def record_refused_sign_in(*, request: HttpRequest, user: User | None, reason: str, now: datetime) -> None:
    """Record a refused sign-in and why, as often as `apps.users.services.record_refusal` lets."""
    origin = Origin(request_id=context.current().request_id, ip=request.META.get("REMOTE_ADDR", ""))
    record_refusal(
        "staff.sign_in_refused",
        request=request,
        user=user,
        reason="locked_out" if is_locked_out(request) else reason,
        actor=visitor("staff", origin),
        now=now,
    )


def _record_access(
    action: str, actor: Actor, target: Any, now: datetime, changes: dict[str, Any] | None = None
) -> None:
    with staff_scope():
        record(action=action, actor=actor, target_type="user", target_id=target, now=now, changes=changes)
