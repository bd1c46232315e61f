"""Threads that reach the database: each has a connection of its own, and gives it back."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Barrier, Event
from typing import TypeVar

from django.db import connection

from tests import databases

Item = TypeVar("Item")
Result = TypeVar("Result")

_BLOCKED = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = %s"


def begin(work: Callable[[], Result]) -> Future[Result]:
    """Begin `work` in a thread of its own; the future's `result(seconds)` waits for its end."""

    def run() -> Result:
        try:
            return work()
        finally:
            connection.close()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(run)
    pool.shutdown(wait=False)
    return future


def at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do `work` with each item in a thread of its own, all from the same moment on; return the results in order."""
    given = list(items)
    barrier = Barrier(len(given), timeout=30)

    def run(item: Item) -> Result:
        connection.ensure_connection()
        barrier.wait()
        return work(item)

    begun = [begin(lambda item=item: run(item)) for item in given]  # type: ignore[misc]
    return [future.result(60) for future in begun]


@contextmanager
def held(scope: Callable[[], AbstractContextManager[object]], work: Callable[[], object]) -> Iterator[None]:
    """Do `work` in another connection, in a scope whose transaction commits when the block ends."""
    done, release = Event(), Event()

    def hold() -> None:
        with scope():
            work()
            done.set()
            assert release.wait(20)

    holding = begin(hold)
    try:
        assert done.wait(20)
        yield
    finally:
        release.set()
    holding.result(20)


def blocked_sessions() -> int:
    """Return how many of the test database's sessions wait for a lock."""
    name = connection.settings_dict["NAME"]
    # By a session of its own: within a transaction pg_stat_activity stays as it was first seen.
    with databases.as_owner(name) as watcher:
        (count,) = watcher.execute(_BLOCKED, [name]).fetchone() or (0,)
    return int(count)
