"""What beat runs. One table; staff may change intervals and switch entries off in the admin afterwards."""

from django_celery_beat.models import IntervalSchedule, PeriodicTask

# Task -> seconds between runs. The short ones are safety nets: their work is normally woken after a commit.
SCHEDULE = {
    "jobs.sweep": 2,
    "outbox.relay": 2,
    "audit.sequence": 2,
    "webhooks.deliver": 2,
    "orders.pull_open": 3,
    "orders.pull_all": 60,
    "orders.refresh_quotes": 5,
    "providers.schedule_due_syncs": 15,
    "market.request_due_imports": 15,
    "tenants.settle_impersonations": 15,
    "tenants.store_request_counts": 15,
    "tenants.post_password_resets": 15,
    "webhooks.look_after_failing": 60,
    "finops.send_checkpoints": 60,
    "idempotency.expire": 3600,
    "finops.renew_seals": 3600,
    "users.forget_sessions": 3600,
    "webhooks.forget_secrets": 3600,
    "ops.verify": 15,
}
# The queues of those that have a worker of their own.
_QUEUES = {"webhooks.deliver": "webhooks"}
# A tick that nobody took in this time is dropped: the next one does the same work.
_EXPIRE_SECONDS = 60


def ensure_schedule() -> list[str]:
    """Write the entries that are missing into beat's tables, change none, and return their names."""
    existing = set(PeriodicTask.objects.filter(name__in=SCHEDULE).values_list("name", flat=True))
    missing = [name for name in SCHEDULE if name not in existing]
    for name in missing:
        interval, _created = IntervalSchedule.objects.get_or_create(
            every=SCHEDULE[name], period=IntervalSchedule.SECONDS
        )
        PeriodicTask.objects.get_or_create(
            name=name,
            defaults={
                "task": name,
                "interval": interval,
                "queue": _QUEUES.get(name, "default"),
                "expire_seconds": max(_EXPIRE_SECONDS, SCHEDULE[name]),
            },
        )
    return missing
