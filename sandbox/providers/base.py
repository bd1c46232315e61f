"""Say what a provider's twin gives to the frame.

Faults, log, journal and clock are the frame's. A twin is a package `sandbox/providers/<name>/` whose class is
registered in `sandbox.registry.PROVIDERS`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

if TYPE_CHECKING:
    from sandbox.journal import Command
    from sandbox.world import World


class Refused(Exception):
    """Raised by a handler to answer at once with the provider's refusal."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


class Provider(ABC):
    """Simulate one provider. `name` is its path prefix and its name in every control request."""

    name: ClassVar[str]

    def __init__(self, world: "World") -> None:
        self.world = world
        self.woken = asyncio.Event()

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """Return the provider's own endpoints; paths as on the real host, without the prefix."""

    @abstractmethod
    def error(self, status: int) -> web.Response:
        """Return an answer in the provider's error shape; also for unknown paths and crashes."""

    @abstractmethod
    def throttled(self) -> web.Response:
        """Return the provider's own way of saying "too many requests", whatever its status."""

    @abstractmethod
    def apply(self, command: "Command", *, virtual_at: float) -> None:
        """Take over a journaled command, checked before it was written; the same on a replay as live."""

    @abstractmethod
    def credentials(self, label: str) -> dict[str, Any]:
        """Return the credentials of the customer called `label`, as the platform stores them; none of an open API."""

    def control_routes(self) -> Iterable[web.RouteDef]:
        """Return test controls, mounted under `/_control/<name>`."""
        return ()

    def finish(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers that the provider sends with every answer; none unless a twin says so."""
        return

    async def stop(self) -> None:
        """Take leave of those who are connected, before the server closes; of nobody unless a twin says so."""
        return

    def wake(self) -> None:
        """Hear that a command was applied or that time moved."""
        self.woken.set()

    def background(self) -> Coroutine[Any, Any, None] | None:
        """Return what is to run beside the server until it is cancelled."""
        return None

    def commit(self, op: str, args: dict[str, Any]) -> "Command":
        """Journal one of this provider's commands and apply it."""
        return self.world.commit(self.name, op, args)
