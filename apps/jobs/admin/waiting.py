"""Why nobody has taken a job that is due: what holds its queue back, or what its workers lack."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from apps.core.admin import Notice, duration
from apps.core.ids import lowest_id
from apps.core.scope import is_limited
from apps.jobs import selectors
from apps.jobs.enums import JobState
from apps.jobs.models import Job, Queue

# The sweep comes every two seconds: who waits for longer waits for something.
_PATIENCE = timedelta(seconds=30)
_TENANTS, _LATER = 1_000, 200


def notice_of(job: Job, *, now: datetime) -> Notice | None:
    """Say what a queued job waits for that has been due for a while; None for any other.

    What a queue is held by concerns every tenant, so staff who are limited to some are told nothing of it.
    """
    if job.state != JobState.QUEUED or now - job.run_at < _PATIENCE or is_limited():
        return None
    title = _("Due for %(time)s, and nobody has taken it") % {"time": duration(now - job.run_at)}
    text, remedy = _reason(job, now=now)
    return Notice(title, text, remedy, "warn")


def _reason(job: Job, *, now: datetime) -> tuple[str, str]:
    """Return what holds a job back, and what to do about that."""
    queue = Queue.objects.filter(name=job.queue).first()
    most, most_of_tenant = (queue.max_running, queue.max_running_per_tenant) if queue else (None, None)
    shares = selectors.shares_of(job.queue, now=now, at_most=_TENANTS)
    running = {share.tenant_id: share.leased for share in shares}
    names: dict[str, object] = {"queue": job.queue, "kind": job.kind, "most": most, "of_tenant": most_of_tenant}
    if most == 0:
        return _("The queue “%(queue)s” is held.") % names, _("Change the queue's bounds to let it go on.")
    if most is not None and sum(running.values()) >= most:
        text = _("The queue “%(queue)s” is at its bound: %(most)s run at once.")
        return text % names, _("It comes when one of them ends: the queue's page tells who has them.")
    if most_of_tenant is not None and running.get(job.tenant_id, 0) >= most_of_tenant:
        text = _("Of this tenant %(of_tenant)s run at once in the queue “%(queue)s”, and no more may.")
        return text % names, _("It comes when one of them ends.")
    return _of_workers(job, names, is_running=any(running.values()))


def _of_workers(job: Job, names: dict[str, object], *, is_running: bool) -> tuple[str, str]:
    later = Job.objects.filter(queue=job.queue, id__gte=lowest_id(job.run_at), attempts__gt=0).order_by("-id")
    kinds = set(later.values_list("kind", flat=True)[:_LATER])
    if job.kind in kinds or (is_running and not kinds):
        text = _(
            "Others of the queue “%(queue)s” have their turn: higher priorities first, then one tenant after the other."
        )
        return text % names, _("It comes by itself; more workers make it come sooner.")
    if kinds:
        text = _("Later jobs of the queue “%(queue)s” were taken, and none of the kind “%(kind)s”.")
        return text % names, _("No worker that runs knows the kind: deploy a release that does, or discard the job.")
    text = _("No job of the queue “%(queue)s” runs or has begun since.")
    return text % names, _("Is a worker of this queue up, and does it reach the database? Its log says.")
