"""The Celery app with the kinds that the tests of real workers use: `celery -A tests.jobs.worker_app worker`."""

import itertools
import os
import resource
import signal
import socket
import time
from contextlib import suppress

import django

django.setup()

from django.db import connection  # noqa: E402  (as below)

from apps.core import clock  # noqa: E402  (models need the apps that the line above loads)
from apps.core.scope import tenant_scope, write_scope  # noqa: E402
from apps.jobs.registry import handles  # noqa: E402
from apps.jobs.services import settle  # noqa: E402
from apps.jobs.types import Lease  # noqa: E402
from finops.celery import app  # noqa: E402
from tests.factories.incidents import make_incident  # noqa: E402
from tests.factories.jobs import TENANT  # noqa: E402
from tests.jobs.worker_kinds import FATAL, HANG, POISON, WORK  # noqa: E402

__all__ = ["app"]


@handles(WORK)
def work(lease: Lease) -> None:
    """Take `seconds`, then leave one incident per job: its count says how often the job took effect."""
    with write_scope(lease.actor):
        make_incident(now=clock.now(), actor=lease.actor, kind="test.started", key=str(lease.job_id))
    time.sleep(float(lease.payload.get("seconds", "0")))
    with write_scope(lease.actor):
        make_incident(now=clock.now(), actor=lease.actor, kind="test.effect", key=str(lease.job_id))
        settle(lease, now=clock.now())


@handles(POISON)
def poison(_lease: Lease) -> None:
    """Kill the process that runs it."""
    _kill()


@handles(FATAL)
def fatal(lease: Lease) -> None:
    """End the process that runs it, or exhaust its memory, as the payload says."""
    _mark(lease, "test.started")
    WAYS_TO_DIE[lease.payload["how"]]()


@handles(HANG)
def hang(lease: Lease) -> None:
    """Hang as the payload says, then take effect; each start leaves an incident with the process it was in."""
    _mark(lease, "test.started")
    _mark(lease, "test.process", key=str(os.getpid()))
    WAYS_TO_HANG[lease.payload["how"]]()
    _mark(lease, "test.effect", settles=True)


def _mark(lease: Lease, kind: str, *, key: str = "", settles: bool = False) -> None:
    with write_scope(lease.actor):
        make_incident(now=clock.now(), actor=lease.actor, kind=kind, key=key or str(lease.job_id))
        if settles:
            settle(lease, now=clock.now())


def _sleep() -> None:
    time.sleep(3600)


def _spin() -> None:
    while True:
        pass


def _read() -> None:
    near, _far = socket.socketpair()
    near.recv(1)


def _query() -> None:
    with tenant_scope(TENANT), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(20)")


def _catch() -> None:
    while True:
        with suppress(Exception):
            time.sleep(3600)


def _block() -> None:
    """Hold the interpreter's lock for ever, in C: no other thread of the process runs, and no signal is heard."""
    sum(itertools.repeat(0))


def _kill() -> None:
    """End as by the kernel when memory is short: nothing of the process hears of it."""
    os.kill(os.getpid(), signal.SIGKILL)


def _allocate() -> None:
    """Allocate until a limit of memory refuses."""
    before, hoard = resource.getrlimit(resource.RLIMIT_AS), []
    resource.setrlimit(resource.RLIMIT_AS, (2**31, before[1]))
    try:
        while True:
            hoard.append(bytearray(2**24))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


WAYS_TO_HANG = {"sleep": _sleep, "spin": _spin, "read": _read, "query": _query, "catch": _catch, "block": _block}
WAYS_TO_DIE = {"killed": _kill, "aborted": os.abort, "memory": _allocate}
