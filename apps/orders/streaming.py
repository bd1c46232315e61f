"""Listens to what becomes of orders at their venues: one task a connection, one thread for the database.

Nothing hangs on it. What it misses a pull brings, after each (re)connect and on beat's schedule: without this process
orders go on, more slowly.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db import connection as database
from prometheus_client import Counter, Gauge

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.errors import ReadOnly
from apps.core.scope import system_scope, tenant_scope, write_scope
from apps.orders.models import RiskAccount
from apps.orders.services.queueing import pull_soon
from apps.orders.services.turns import keep_turn, stream_turn
from apps.orders.services.updates import take_trade_update
from apps.providers.enums import ConnectionStatus, ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.models import Connection
from apps.providers.registry import registrations, stream_for
from apps.providers.trading import StreamOpened, TradeUpdate

logger = logging.getLogger(__name__)

# There is one such process; should there be two, each hears everything and the last to change is shown.
STREAMS = Gauge("finops_order_streams_connected", "Venue streams that are listened to", multiprocess_mode="mostrecent")
MESSAGES = Counter("finops_order_stream_messages_total", "Messages of venue streams", ["provider", "event"])

LOOK_SECONDS = 2.0
# How long a stream counts as listened to after the last look: a process that hangs is found out by this.
ALIVE_SECONDS = 6.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A person has to act on refused credentials.
REFUSED_PAUSE_SECONDS = 60.0
# A stream that lasted this long was a good one: the next pause is the first again.
_GOOD_SECONDS = 10.0

_Result = TypeVar("_Result")
_Key = tuple[UUID, int]


class Listener:
    """Listens to every active connection whose provider has a stream, until `stop` is called."""

    def __init__(self, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._look_seconds = look_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stream-database")
        self._tasks: dict[_Key, asyncio.Task[None]] = {}
        self._open: set[UUID] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End `run` soon: streams are closed, and what is being stored is stored to its end."""
        self._stopping.set()

    async def run(self) -> None:
        """Listen, and look for new and removed connections every `look_seconds`."""
        try:
            while not self._stopping.is_set():
                await self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._look_seconds)
        finally:
            await _cancel(self._tasks.values())
            await self._in_thread(_close)
            self._thread.shutdown()

    async def _look(self) -> None:
        try:
            wanted = await self._in_thread(_connections)
        except Exception:  # the database is away, perhaps: what is listened to goes on
            logger.exception("stream.look_failed")
            return
        gone = [self._tasks.pop(key) for key in self._tasks.keys() - wanted.keys()]
        await _cancel(gone)
        for key in wanted.keys() - self._tasks.keys():
            self._tasks[key] = asyncio.create_task(self._keep_listening(wanted[key]))
        await self._in_thread(lambda: _say_alive(self._open & {connection_id for connection_id, _version in wanted}))

    async def _keep_listening(self, connection: Connection) -> None:
        """Listen to one connection; after each end pause, ever longer, and connect again."""
        pause, loop = FIRST_PAUSE_SECONDS, asyncio.get_running_loop()
        while True:
            began = loop.time()
            longest = LONGEST_PAUSE_SECONDS
            try:
                await self._listen(connection)
            except ProviderError as error:
                longest = REFUSED_PAUSE_SECONDS if error.category is ErrorCategory.AUTH else longest
                _warn(connection, error.code)
            except Exception:  # our side failed: the pull after the reconnect brings what was lost
                logger.exception("stream.failed", extra={"connection_id": str(connection.id)})
            finally:
                self._show(connection, is_open=False)
            if loop.time() - began > _GOOD_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            pause = longest if longest > LONGEST_PAUSE_SECONDS else pause
            # Half of it by chance: streams that broke together do not come back together.
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  (spread, not secrecy)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _listen(self, connection: Connection) -> None:
        stream = await self._in_thread(lambda: stream_for(connection))
        async with aclosing(cast(Any, stream)) as messages:
            async for message in cast(AsyncIterator[StreamOpened | TradeUpdate], messages):
                if isinstance(message, StreamOpened):
                    self._show(connection, is_open=True)
                    await self._in_thread(lambda: _pull(connection))
                else:
                    MESSAGES.labels(connection.provider, message.event).inc()
                    await self._in_thread(lambda: _take(connection, message))  # noqa: B023  (awaited here)

    def _show(self, connection: Connection, *, is_open: bool) -> None:
        (self._open.add if is_open else self._open.discard)(connection.id)
        STREAMS.set(len(self._open))

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _with_database, work)


def _with_database(work: Callable[[], _Result]) -> _Result:
    database.close_if_unusable_or_obsolete()
    return work()


def _close() -> None:
    database.close()


def _connections() -> dict[_Key, Connection]:
    """Return what to listen to; a connection that was changed is another one, and is listened to anew."""
    providers = [name for name, entry in registrations().items() if entry.spec and entry.spec.stream]
    with system_scope():
        rows = Connection.objects.live().filter(provider__in=providers, status=ConnectionStatus.ACTIVE)
        return {(row.id, row.version): row for row in rows}


def _say_alive(connections: Iterable[UUID]) -> None:
    for connection_id in connections:
        keep_turn(stream_turn(connection_id), seconds=ALIVE_SECONDS)


def _pull(connection: Connection) -> None:
    """Have the account read: nothing that happened while nobody listened is in the stream."""
    actor = system_actor("stream", tenant_id=connection.tenant_id)
    with suppress(ReadOnly), write_scope(actor):  # the pulls go on once writing is switched on again
        for risk_account in RiskAccount.objects.filter(connection=connection):
            pull_soon(risk_account, actor=actor, now=clock.now(), after=timedelta(0))


def _take(connection: Connection, update: TradeUpdate) -> None:
    with tenant_scope(connection.tenant_id):
        accounts = RiskAccount.objects.filter(connection=connection).values_list("id", flat=True)
        risk_account_id = accounts.first()
    if risk_account_id is not None:
        actor = system_actor("stream", tenant_id=connection.tenant_id)
        with suppress(ReadOnly):
            take_trade_update(risk_account_id=risk_account_id, update=update, actor=actor, now=clock.now())


def _warn(connection: Connection, code: str) -> None:
    logger.warning(
        "stream.ended",
        extra={"connection_id": str(connection.id), "provider": connection.provider, "code": code},
    )


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
