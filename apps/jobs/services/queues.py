"""Queues and their bounds: the installation's, changed by staff."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection

from apps.core.db.finding import get_one
from apps.core.scope import request_wake, require_whole_installation, staff_scope, system_scope
from apps.jobs.models import Queue

FORGET_BATCH = 1_000
# Dead jobs stay, however old: they wait for a person.
_FORGET = """
DELETE FROM jobs_job WHERE id IN (
    SELECT id FROM jobs_job WHERE finished_at < %(before)s AND state IN ('succeeded', 'discarded')
     ORDER BY finished_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""


def ensure_queues(names: Iterable[str]) -> None:
    """Write the rows of queues that have none, without bounds."""
    Queue.objects.bulk_create([Queue(name=name) for name in sorted(names)], ignore_conflicts=True)


def set_bounds(
    *, queue_id: UUID, max_running: int | None, max_running_per_tenant: int | None, now: datetime
) -> tuple[Queue, dict[str, list[int | None]]]:
    """Set how many of a queue's jobs run at once, in all and of one tenant; return it and what has changed.

    None is no bound, 0 holds the queue. What runs goes on. Staff act through the back office, which adds the leaf.

    Raises:
        NotFound: there is no such queue.
        PermissionMissing: the scope is limited to some tenants.
    """
    with staff_scope():
        require_whole_installation()
        queue = get_one(Queue.objects.select_for_update().filter(id=queue_id))
        changes = {
            "max_running": [queue.max_running, max_running],
            "max_running_per_tenant": [queue.max_running_per_tenant, max_running_per_tenant],
        }
        queue.max_running, queue.max_running_per_tenant, queue.changed_at = max_running, max_running_per_tenant, now
        queue.save(update_fields=["max_running", "max_running_per_tenant", "changed_at"])
        request_wake(f"jobs:{queue.name}")
    return queue, {name: values for name, values in changes.items() if values[0] != values[1]}


def forget_finished(*, before: datetime, batch: int = FORGET_BATCH) -> int:
    """Delete a batch of the jobs that succeeded or were discarded before a moment; return how many there were."""
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_FORGET, {"before": before, "batch": batch})
        return int(cursor.rowcount)
