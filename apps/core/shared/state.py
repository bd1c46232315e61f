"""State that all processes share, in Valkey: optional by design, every caller has an answer for its absence."""

import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import redis
from django.conf import settings
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

SHARED_STATE_LOST = Counter(
    "finops_shared_state_lost_total", "Decisions that were made without Valkey, each process by itself", ["part"]
)
# While Valkey is down, each call would otherwise pay the time-out; one in this many seconds does.
_PAUSE_SECONDS = 2.0


class SharedState:
    """Runs Lua scripts in Valkey, and tells it what needs no answer; None instead of one means that it is not there."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=settings.SHARED_STATE_SECONDS,
            socket_connect_timeout=settings.SHARED_STATE_SECONDS,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=30,
        )
        self._scripts: dict[str, Script] = {}
        self._down_until = 0.0

    def run(self, part: str, script: str, *, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Return what the script returns; None when Valkey cannot be reached. `part` names the loss in the metric."""
        if time.monotonic() >= self._down_until:
            try:
                return self._script(script)(keys=keys, args=args)
            except redis.RedisError:
                self._down_until = time.monotonic() + _PAUSE_SECONDS
        SHARED_STATE_LOST.labels(part).inc()
        return None

    def tell(self, part: str, *commands: Sequence[str]) -> None:
        """Send commands whose answers nobody needs, without waiting for them: a quarter of a round trip's time.

        What the same thread asks next is asked behind them. Through a proxy that answers all the same, the pool finds
        the answers left over and connects anew: slower, and still right.
        """
        if time.monotonic() < self._down_until:
            SHARED_STATE_LOST.labels(part).inc()
            return
        pool = self._client.connection_pool
        try:
            connection = pool.get_connection()
            try:
                unanswered = [words for command in commands for words in (("CLIENT", "REPLY", "SKIP"), command)]
                packed = connection.pack_commands(unanswered)  # type: ignore[no-untyped-call]
                connection.send_packed_command(packed)  # type: ignore[no-untyped-call]
            finally:
                pool.release(connection)
        except redis.RedisError:
            self._down_until = time.monotonic() + _PAUSE_SECONDS
            SHARED_STATE_LOST.labels(part).inc()

    def _script(self, text: str) -> Script:
        if text not in self._scripts:
            self._scripts[text] = self._client.register_script(text)
        return self._scripts[text]


# One in a process; what a bounded cache dropped would leave its sockets open.
@cache
def _at(url: str) -> SharedState:
    return SharedState(url)


def shared_state() -> SharedState:
    """Return this process's connection to the shared state."""
    return _at(settings.REDIS_URL)
