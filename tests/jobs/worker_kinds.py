"""The kinds that the tests of real workers use; their handlers are in the worker alone."""

from apps.jobs.types import JobKind

WORK = JobKind("test.work", queue="default", lease_seconds=2, max_attempts=20)
HANG = JobKind(
    "test.hang", queue="default", lease_seconds=3, max_attempts=2, backoff_seconds=1, soft_seconds=1, hard_seconds=3
)
FATAL = JobKind("test.fatal", queue="default", lease_seconds=1, backoff_seconds=1, backoff_max_seconds=1)
POISON = JobKind("test.poison", queue="default", lease_seconds=1, max_attempts=2)
