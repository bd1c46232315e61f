"""A client's server on loopback, in a thread of its own: it notes what it gets and answers as it is told."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in; `at` is a monotonic time."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def sequence(self) -> int:
        return int(self.headers["finops-sequence"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answers, after `delay` seconds."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


class Receiver:
    """Use it as a context manager; `answer` may be an Answer or a function of the request."""

    def __init__(self, answer: Answer | Callable[[Received], Answer] = Answer()) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.at_once = 0
        self.most_at_once = 0
        self._port = 0
        self._started, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(START_SECONDS)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of each request, in the order in which they came."""
        return [received.id for received in self.received]

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._receive)
        # Whoever gives up takes the handler with it, and what still hangs at the end is cut off.
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self._port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        await asyncio.wait_for(runner.cleanup(), START_SECONDS)

    async def _receive(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            received = Received(request.path, dict(request.headers.items()), await request.read())
            self.received.append(received)
            answer: Any = self.answer(received) if callable(self.answer) else self.answer
            await asyncio.sleep(answer.delay)
        finally:
            self.at_once -= 1
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))
