"""The kinds that the tests of real workers use; their handlers are in the worker alone."""

from apps.jobs.types import JobKind

WORK = JobKind("test.work", queue="default", lease_seconds=2, max_attempts=20)
POISON = JobKind("test.poison", queue="default", lease_seconds=1, max_attempts=2)
