"""Beat's schedule is complete after `ensure_schedule`, and staff's changes survive it."""

from io import StringIO

from django.core.management import call_command
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from finops.schedule import SCHEDULE, ensure_schedule


def test_the_command_writes_the_whole_table_once() -> None:
    out = StringIO()
    call_command("ensure_schedule", stdout=out)
    assert out.getvalue().startswith("Added to the schedule: jobs.sweep, outbox.relay")
    entries = PeriodicTask.objects.select_related("interval").filter(name__in=SCHEDULE)
    assert {entry.name: (entry.task, entry.interval.every, entry.queue) for entry in entries} == {
        "jobs.sweep": ("jobs.sweep", 2, "default"),
        "outbox.relay": ("outbox.relay", 2, "logs"),
        "audit.sequence": ("audit.sequence", 2, "logs"),
        "webhooks.deliver": ("webhooks.deliver", 2, "webhooks"),
        "orders.pull_open": ("orders.pull_open", 3, "default"),
        "orders.pull_all": ("orders.pull_all", 60, "default"),
        "orders.refresh_quotes": ("orders.refresh_quotes", 5, "default"),
        "providers.schedule_due_syncs": ("providers.schedule_due_syncs", 15, "default"),
        "market.request_due_imports": ("market.request_due_imports", 15, "default"),
        "tenants.post_password_resets": ("tenants.post_password_resets", 15, "default"),
        "finops.renew_seals": ("finops.renew_seals", 3600, "default"),
        "users.forget_sessions": ("users.forget_sessions", 3600, "default"),
        "webhooks.forget_secrets": ("webhooks.forget_secrets", 3600, "default"),
        "webhooks.forget_deliveries": ("webhooks.forget_deliveries", 3600, "default"),
        "providers.forget_hooks": ("providers.forget_hooks", 3600, "default"),
        "webhooks.look_after_failing": ("webhooks.look_after_failing", 60, "default"),
        "webhooks.push_recoveries": ("webhooks.push_recoveries", 60, "default"),
        "finops.send_checkpoints": ("finops.send_checkpoints", 60, "default"),
        "ops.verify": ("ops.verify", 15, "default"),
        "ops.clear_dead_letters": ("ops.clear_dead_letters", 15, "default"),
        "tenants.settle_impersonations": ("tenants.settle_impersonations", 15, "default"),
        "tenants.store_request_counts": ("tenants.store_request_counts", 15, "default"),
        "jobs.forget": ("jobs.forget", 3600, "default"),
        "idempotency.expire": ("idempotency.expire", 60, "default"),
    }
    again = StringIO()
    call_command("ensure_schedule", stdout=again)
    assert again.getvalue() == "The schedule is complete.\n"


def test_what_staff_changed_stays() -> None:
    ensure_schedule()
    hourly = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.filter(name="outbox.relay").update(enabled=False, interval=hourly)
    assert ensure_schedule() == []
    entry = PeriodicTask.objects.get(name="outbox.relay")
    assert (entry.enabled, entry.interval_id) == (False, hourly.id)


def test_every_scheduled_task_exists() -> None:
    from celery import Celery

    from apps.core import wake

    hook = wake._hook
    try:
        from finops.celery import app
    finally:
        wake.install(hook)
    assert isinstance(app, Celery)
    app.loader.import_default_modules()
    assert set(SCHEDULE) <= set(app.tasks)
