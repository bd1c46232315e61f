"""Writes of the jobs room: what other rooms call. The rest of leasing is the runner's business."""

from apps.jobs.services.leasing import settle
from apps.jobs.services.queueing import discard_job, enqueue, enqueue_statement, replay_job

__all__ = ["discard_job", "enqueue", "enqueue_statement", "replay_job", "settle"]
