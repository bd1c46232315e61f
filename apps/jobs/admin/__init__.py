"""Jobs, dead letters and queues, as staff see them. What staff do is added by the back office, with its audit leaf."""

from apps.jobs.admin import jobs, queues

__all__ = ["jobs", "queues"]
