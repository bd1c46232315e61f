"""Writes of the jobs room: what other rooms call. The rest of leasing is the runner's business."""

from apps.jobs.services.leasing import settle
from apps.jobs.services.queueing import discard_job, enqueue, enqueue_statement, replay_job
from apps.jobs.services.queues import ensure_queues, forget_finished, set_bounds

__all__ = [
    "discard_job",
    "enqueue",
    "enqueue_statement",
    "ensure_queues",
    "forget_finished",
    "replay_job",
    "set_bounds",
    "settle",
]
