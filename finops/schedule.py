"""What beat runs. One table; staff may change intervals and switch entries off in the admin afterwards."""

from django.conf import settings
from django.db import connection, transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.jobs.services import ensure_queues

# Task -> seconds between runs. The short ones are safety nets: their work is normally woken after a commit.
SCHEDULE = {
    "jobs.sweep": 2,
    "outbox.relay": 2,
    "audit.sequence": 2,
    "webhooks.deliver": 2,
    "orders.pull_open": 3,
    "orders.pull_all": 60,
    "idempotency.expire": 60,
    "orders.refresh_quotes": 5,
    "providers.schedule_due_syncs": 15,
    "market.request_due_imports": 15,
    "tenants.settle_impersonations": 15,
    "tenants.store_request_counts": 15,
    "tenants.post_password_resets": 15,
    "webhooks.look_after_failing": 60,
    "webhooks.push_recoveries": 60,
    "finops.send_checkpoints": 60,
    "jobs.forget": 3600,
    "finops.renew_seals": 3600,
    "users.forget_sessions": 3600,
    "webhooks.forget_secrets": 3600,
    "webhooks.forget_deliveries": 3600,
    "providers.forget_hooks": 3600,
    "ops.clear_dead_letters": 15,
    "ops.verify": 15,
}
# The queues of those that others do not share.
_QUEUES = {
    "webhooks.deliver": "webhooks",
    "outbox.relay": settings.LOG_QUEUE,
    "audit.sequence": settings.LOG_QUEUE,
}
# A tick that nobody took in this time is dropped: the next one does the same work.
_EXPIRE_SECONDS = 60


def ensure_schedule() -> list[str]:
    """Write the entries that are missing into beat's tables, and the queues; change none, and return the new names.

    Beats that start at once come one after the other here: intervals have no key that would keep them from doubling.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('finops schedule'))")
        ensure_queues(settings.QUEUES)
        existing = set(PeriodicTask.objects.filter(name__in=SCHEDULE).values_list("name", flat=True))
        missing = [name for name in SCHEDULE if name not in existing]
        for name in missing:
            PeriodicTask.objects.create(
                name=name,
                task=name,
                interval=_interval_of(SCHEDULE[name], IntervalSchedule.SECONDS),
                queue=_QUEUES.get(name, "default"),
                expire_seconds=max(_EXPIRE_SECONDS, SCHEDULE[name]),
            )
    return missing


def _interval_of(every: int, period: str) -> IntervalSchedule:
    """Return the row of an interval."""
    found = IntervalSchedule.objects.filter(every=every, period=period).order_by("pk").first()
    return found or IntervalSchedule.objects.create(every=every, period=period)
