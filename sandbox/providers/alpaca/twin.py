"""Serve Alpaca's paper trading and latest prices for whoever has a key; see `keys.py`.

Trading (`/v2/...`), market data (`/v2/stocks/...`, `/v1beta3/crypto/us/latest/...`) and the stream of trade
updates (`/stream`) live under one prefix. Watchlists, options, multi-leg orders, account configuration, history of
prices and of the portfolio are not simulated.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.journal import Command
from sandbox.providers.alpaca import wire
from sandbox.providers.alpaca.account_api import AccountApi
from sandbox.providers.alpaca.accounts import Account
from sandbox.providers.alpaca.controls import AlpacaControls
from sandbox.providers.alpaca.desk import Desk, Moment
from sandbox.providers.alpaca.keys import KeyRing
from sandbox.providers.alpaca.market_api import MarketApi
from sandbox.providers.alpaca.matching import Matcher
from sandbox.providers.alpaca.meter import Meter
from sandbox.providers.alpaca.orders_api import OrdersApi
from sandbox.providers.alpaca.positions_api import PositionsApi
from sandbox.providers.alpaca.stream import Hub
from sandbox.providers.base import Provider, Refused

if TYPE_CHECKING:
    from sandbox.world import World


RETRY_SECONDS = 1.0
logger = logging.getLogger("sandbox")


class Alpaca(Provider):
    """Simulate Alpaca."""

    name = "alpaca"

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.keys = KeyRing(world.seed)
        self.meter = Meter()
        self.hub = Hub(self)
        genesis = world.journal.genesis
        self.desk = Desk(seed=world.seed, genesis=genesis, timeline=world.timeline, publish=self.hub.publish)
        self.matcher = Matcher(self.desk, begin=genesis)
        self.controls = AlpacaControls(self)
        orders = OrdersApi(self)
        self._apis = (orders, PositionsApi(self, orders), AccountApi(self), MarketApi(self))

    def routes(self) -> Iterable[web.RouteDef]:
        """Return Alpaca's endpoints."""
        for api in self._apis:
            yield from api.routes()
        yield web.get("/stream", self.hub.connect)

    def control_routes(self) -> Iterable[web.RouteDef]:
        """Return the test controls."""
        return self.controls.routes()

    def error(self, status: int) -> web.Response:
        """Return Alpaca's error shape."""
        return wire.error(status)

    def throttled(self) -> web.Response:
        """Return Alpaca's 429."""
        return wire.error(429)

    def credentials(self, label: str) -> dict[str, Any]:
        """Return a paper key and its secret."""
        return self.keys.credentials(label)

    def finish(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the rate headers, and the request id that Alpaca's support asks for."""
        key = self.keys.key_of(request)
        response.headers["X-Request-ID"] = wire.digest("request", self.world.log.sequence).hex()[:32]
        if key is not None:
            response.headers.update(self.meter.headers(key, throttled=response.status == 429))

    async def stop(self) -> None:
        """Close the stream's connections."""
        await self.hub.close()

    def authorize(self, request: web.Request) -> Account:
        """Return the account of a request that may pass, as it stands now."""
        key = self.keys.key_of(request)
        if key is None:
            raise Refused(wire.error(401))
        if not self.meter.admit(key):
            raise Refused(self.throttled())
        self.settle()
        return self.desk.account(key)

    def settle(self) -> None:
        """Let everything happen that is due by now, each thing journaled before anyone sees it."""
        for instant in self.matcher.walk(self.world.now()):
            while rows := self.matcher.rows(instant):
                self.commit("happened", {"rows": rows})

    def apply(self, command: Command, *, virtual_at: float) -> None:
        """Take over a command."""
        desk, args = self.desk, command.args
        moment = Moment(number=command.n, real=round(command.at, 6), virtual=virtual_at)
        match command.op:
            case "happened":
                for row in args["rows"]:
                    desk.happen(row)
            case "place":
                desk.place(args, moment)
                self.controls.placed(args)
            case "cancel":
                desk.cancel(desk.account(args["key"]).by_id[args["id"]], moment)
            case "replace":
                desk.replace(desk.account(args["key"]).by_id[args["replaces"]], args, moment)
            case _:
                self.controls.apply(command.op, args, moment)
        self.matcher.passed(virtual_at)

    def background(self) -> Coroutine[Any, Any, None]:
        """Return what lets things happen in time, and brings them to the listeners."""
        return self._run()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hub.run())
            group.create_task(self._keep_time())

    async def _keep_time(self) -> None:
        while True:
            try:
                self.settle()
            except OSError:
                logger.exception("alpaca: what is due could not be written down")
                await asyncio.sleep(RETRY_SECONDS)
            due = self.matcher.next_due()
            wait = None if due is None or not self.world.timeline.running else max(0.0, due - self.world.now())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), wait)
            self.woken.clear()
