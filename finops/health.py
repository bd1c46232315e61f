"""Probes for supervisors and balancers. Each answers JSON; readiness names every dependency."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from apps.core.api.problems import reads

_started = False


@reads
def live(_request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process can answer at all."""
    return JsonResponse({"status": "ok"})


@reads
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when every dependency does; 503 names those that do not."""
    return _report({"database": _database, "valkey": _valkey, "migrations": _migrations})


@reads
def started(_request: HttpRequest) -> JsonResponse:
    """Answer 200 once the schema is the one that this code expects."""
    return _report({"migrations": _migrations})


def _report(probes: dict[str, Callable[[], None]]) -> JsonResponse:
    results: dict[str, str] = {}
    for name, probe in probes.items():
        try:
            probe()
            results[name] = "ok"
        except Exception as error:  # noqa: BLE001  (a probe reports whatever its dependency raises)
            results[name] = type(error).__name__
    healthy = all(result == "ok" for result in results.values())
    return JsonResponse(
        {"status": "ok" if healthy else "unavailable", "checks": results}, status=200 if healthy else 503
    )


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _valkey() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
        client.ping()


class _PendingMigrations(Exception):
    """The database is behind the code."""


def _migrations() -> None:
    global _started  # noqa: PLW0603  (once current, a schema never falls behind the running code)
    if _started:
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise _PendingMigrations
    _started = True
