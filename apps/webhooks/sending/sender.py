"""The loop: settle what came back, claim what is due, send it; again, until nothing is left."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from random import Random
from uuid import UUID

import aiohttp
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connections

from apps.core import clock, egress
from apps.core.actor import system_actor
from apps.core.scope import system_scope
from apps.webhooks import metrics
from apps.webhooks.sending.exchange import send
from apps.webhooks.sending.shares import Shares
from apps.webhooks.sending.windows import FIRST, Windows
from apps.webhooks.services import claim, disable_gone_endpoint, settle
from apps.webhooks.types import GONE_STATUS, Attempt, Claim, Share

logger = logging.getLogger(__name__)

# Requests on the wire at once in one process: below the usual bound of 1,024 open files.
MOST_IN_FLIGHT = 500
TIMEOUT_SECONDS = 15.0
# How often the queue is looked at unasked: retries come due by themselves, and a poke may be lost.
POLL_SECONDS = 1.0
# Answers that come together are settled together.
GATHER_SECONDS = 0.004
# Endpoints that are gone are disabled, each in a transaction of its own: so many a turn, lest the others wait for them.
GONE_AT_ONCE = 5
# The database may be away this long; then the claims' leases are over anyway.
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.5


class Sender:
    """Sends deliveries from one event loop; made for one `run`. Senders of many processes share the queue.

    All database work is done in one thread, one statement for many deliveries; what waits for receivers costs no
    more than its socket.
    """

    def __init__(
        self,
        *,
        tick: Callable[[], datetime] = clock.now,
        random: Random | None = None,
        most_in_flight: int = MOST_IN_FLIGHT,
        timeout_seconds: float = TIMEOUT_SECONDS,
        look_up_seconds: float = egress.LOOK_UP_SECONDS,
    ) -> None:
        self._tick = tick
        self._random = random or Random()  # noqa: S311  (spread, not secrecy)
        self._timeout, self._look_up = timeout_seconds, look_up_seconds
        self._windows, self._shares = Windows(), Shares(most_in_flight)
        self._answers: list[Attempt] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failing_since: float | None = None

    def poke(self) -> None:
        """Have the queue looked at now; from any thread."""
        if self._loop is not None:
            # A loop that has just been closed has nobody to wake.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._news.set)

    async def run(self, *, stopping: Callable[[], bool] = lambda: False, until_idle: bool = False) -> int:
        """Send what is due and what becomes due, until told to stop; return how many requests were made.

        When `stopping` says so, nothing more is claimed, and what is on the wire is waited for and settled. With
        `until_idle` it ends when nothing is due or on the wire.
        """
        self._loop, sent = asyncio.get_running_loop(), 0
        with ThreadPoolExecutor(1, "webhooks-database") as database:
            try:
                async with self._open_session() as session:
                    while True:
                        self._news.clear()
                        claims = await self._turn(database, stop=stopping())
                        sent += len(claims)
                        self._start(session, claims)
                        is_idle = not (self._tasks or self._answers or self._failing_since or self._news.is_set())
                        if is_idle and (until_idle or stopping()):
                            return sent
                        await self._pause()
            finally:
                database.submit(connections.close_all).result()

    def _open_session(self) -> aiohttp.ClientSession:
        return egress.open_session(total_seconds=self._timeout, user_agent="finops", look_up_seconds=self._look_up)

    async def _turn(self, database: ThreadPoolExecutor, *, stop: bool) -> list[Claim]:
        """Settle and claim in one go. With the database away the answers are kept, and tried again for a while."""
        rest, gone, self._answers = _this_turn(self._answers)
        slots, shares = 0 if stop else self._shares.free, self._shares.now()
        rooms = self._windows.rooms() | {answer.claim.endpoint_id: 0 for answer in self._answers}
        work = asyncio.get_running_loop().run_in_executor(database, self._work, rest, gone, slots, shares, rooms)
        try:
            claims = await work
        except AnyDatabaseError as error:
            self._answers = rest + gone + self._answers
            await self._forgive(error)
            return []
        self._failing_since = None
        turn_begins_anew = slots > 0 and self._shares.move_on(claims, slots=slots, shares=shares)
        if turn_begins_anew or self._answers:
            self._news.set()
        return claims

    def _work(
        self,
        rest: Sequence[Attempt],
        gone: Sequence[Attempt],
        slots: int,
        shares: dict[UUID, Share],
        rooms: dict[UUID, int],
    ) -> list[Claim]:
        if self._failing_since is not None:
            close_old_connections()
        now = self._tick()
        claims: list[Claim] = []
        self._settle_gone(gone, now)
        with system_scope():
            settle(rest, random=self._random, now=now)
            if slots > 0:
                claims = claim(slots=slots, shares=shares, rooms=rooms, default_room=FIRST, now=now)
        return claims

    def _settle_gone(self, gone: Sequence[Attempt], now: datetime) -> None:
        """Settle the answers of endpoints that are gone and disable these, before anything more is claimed for them."""
        settle(gone, random=self._random, now=now)
        for claimed in {(answer.claim.endpoint_id, answer.claim.url): answer.claim for answer in gone}.values():
            actor = system_actor("webhooks", tenant_id=claimed.tenant_id)
            disable_gone_endpoint(endpoint_id=claimed.endpoint_id, url=claimed.url, actor=actor, now=now)

    def _start(self, session: aiohttp.ClientSession, claims: Sequence[Claim]) -> None:
        for claimed in claims:
            self._windows.begin(claimed.endpoint_id)
            self._shares.begin(claimed.tenant_id)
            task = asyncio.create_task(self._send(session, claimed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, session: aiohttp.ClientSession, claimed: Claim) -> None:
        answer = await send(session, claimed, at=self._tick())
        metrics.count(answer)
        self._shares.end(claimed.tenant_id)
        self._windows.end(claimed.endpoint_id, succeeded=not answer.error, duration_ms=answer.duration_ms)
        self._answers.append(answer)
        self._news.set()

    async def _pause(self) -> None:
        """Wait for an answer or a poke, and a moment for those right behind it; without one, until the next look."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), POLL_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    async def _forgive(self, error: AnyDatabaseError) -> None:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > PATIENCE_SECONDS:
            raise error
        logger.warning("webhooks.database_failed", extra={"error": type(error).__name__})
        await asyncio.sleep(PAUSE_SECONDS)


def _this_turn(answers: Sequence[Attempt]) -> tuple[list[Attempt], list[Attempt], list[Attempt]]:
    """Divide answers: of endpoints that are there, this turn's of those that are gone, and theirs for the next."""
    gone = [answer for answer in answers if answer.status_code == GONE_STATUS]
    rest = [answer for answer in answers if answer.status_code != GONE_STATUS]
    return rest, gone[:GONE_AT_ONCE], gone[GONE_AT_ONCE:]
