"""The platform's processes: what `make run` starts, in this order, and stops in the reverse one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from finops.embedded.environment import PROJECT, for_command, for_sandbox, for_web, for_worker
from finops.embedded.ports import HOST
from finops.embedded.process import Command

SENDER_QUEUE, ROUTER_QUEUE = "webhooks", "orders"

# Celery's warning is about untrusted pickles; our messages are JSON and our broker has a password.
ROOT_WARNING = "ignore:You're running the worker with superuser privileges"


def sandbox(environment: Mapping[str, str], *, port: int) -> Command:
    """Return the provider simulator."""
    state = f"{environment['FINOPS_HOME']}/sandbox"
    return _python(
        "sandbox", ["-m", "sandbox", "--port", str(port), "--state", state], for_sandbox(environment), grace=5
    )


def web(environment: Mapping[str, str], *, port: int) -> Command:
    """Return the web server, two processes of four threads."""
    options = ["--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "2"]
    options += ["--blocking-threads", "4", "--respawn-failed-workers", "--workers-kill-timeout", "8"]
    options += ["--log-level", "warning"]
    return _python("web", ["-m", "granian", *options, "finops.wsgi:application"], for_web(environment), grace=12)


def worker(environment: Mapping[str, str]) -> Command:
    """Return the job worker: SIGTERM lets running jobs finish within the grace."""
    concurrency = environment.get("FINOPS_WORKER_CONCURRENCY", str(min(4, os.cpu_count() or 2)))
    options = ["--exclude-queues", f"{SENDER_QUEUE},{ROUTER_QUEUE}", "--concurrency", concurrency]
    return _worker("worker", options, environment)


def router(environment: Mapping[str, str]) -> Command:
    """Return what carries orders to their venues: it waits for them most of the time, hence threads.

    A venue may take ten seconds for an answer; the orders and cancels of others go on beside it.
    """
    return _worker("router", ["--queues", ROUTER_QUEUE, "--pool", "threads", "--concurrency", "16"], environment)


def sender(environment: Mapping[str, str]) -> Command:
    """Return the sender of webhooks: one process sends many at once, and a slow endpoint holds up no other work."""
    return _worker("sender", ["--queues", SENDER_QUEUE, "--concurrency", "1"], environment)


def beat(environment: Mapping[str, str]) -> Command:
    """Return the scheduler."""
    return _celery("beat", ["beat", "--loglevel", "INFO"], environment, grace=5)


def stream(environment: Mapping[str, str]) -> Command:
    """Return what listens to the venues: without it orders go on, by pulls."""
    return _python("stream", ["manage.py", "stream_orders"], for_worker(environment), grace=10)


def migrate(environment: Mapping[str, str]) -> Command:
    """Return the migration of the database, for which manage.py logs in as the owner."""
    return _python("migrate", ["manage.py", "migrate", "--no-input"], environment)


def load_demo(environment: Mapping[str, str]) -> Command:
    """Return the loading of the demo tenants, which changes nothing when they are there."""
    return _python("demo", ["manage.py", "load_demo"], for_command(environment))


def _worker(name: str, options: Sequence[str], environment: Mapping[str, str]) -> Command:
    options = [*options, "--hostname", f"{name}@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    return _celery(name, ["worker", *options], environment, grace=20)


def _celery(name: str, options: Sequence[str], environment: Mapping[str, str], *, grace: float) -> Command:
    arguments = ["-W", ROOT_WARNING, "-m", "celery", "--quiet", "-A", "finops", *options]
    return _python(name, arguments, for_worker(environment), grace=grace)


def _python(name: str, arguments: Sequence[str], environment: Mapping[str, str], *, grace: float = 10) -> Command:
    return Command(name, [sys.executable, *arguments], environment, PROJECT, grace=grace)
