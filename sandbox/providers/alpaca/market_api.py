"""Serve assets, clock, calendar and the latest quotes and trades."""

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.providers.alpaca import queries, wire
from sandbox.providers.alpaca.assets import ASSETS, Asset, find_asset
from sandbox.providers.alpaca.drafts import invalid, refuse
from sandbox.providers.alpaca.hours import calendar

if TYPE_CHECKING:
    from sandbox.providers.alpaca.twin import Alpaca

TAPES = {"NASDAQ": "C", "NYSE": "A"}
LONGEST_CALENDAR = timedelta(days=3660)


class MarketApi:
    """Show what there is to trade, when, and at what price."""

    def __init__(self, twin: "Alpaca") -> None:
        self._twin = twin

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoints."""
        yield web.get("/v2/assets", self.list_assets)
        yield web.get("/v2/assets/{symbol:.+}", self.get_asset)
        yield web.get("/v2/clock", self.get_clock)
        yield web.get("/v2/calendar", self.get_calendar)
        for kind in ("quotes", "trades"):
            yield web.get(f"/v2/stocks/{{kind:{kind}}}/latest", self.list_latest)
            yield web.get(f"/v2/stocks/{{symbol}}/{{kind:{kind}}}/latest", self.get_latest)
            yield web.get(f"/v1beta3/crypto/{{feed}}/latest/{{kind:{kind}}}", self.list_latest_crypto)

    async def list_assets(self, request: web.Request) -> web.Response:
        """GET /v2/assets ?status= &asset_class= &exchange=."""
        self._twin.authorize(request)
        wanted = {name: request.query.get(name) for name in ("status", "asset_class", "exchange")}
        shown = [asset.as_json() for asset in ASSETS.values()]
        keys = {"status": "status", "asset_class": "class", "exchange": "exchange"}
        return wire.answer(
            [row for row in shown if all(not value or row[keys[name]] == value for name, value in wanted.items())]
        )

    async def get_asset(self, request: web.Request) -> web.Response:
        """GET /v2/assets/{symbol or id}."""
        self._twin.authorize(request)
        asset = find_asset(request.match_info["symbol"])
        if asset is None:
            refuse(404, wire.NOT_FOUND, f"asset not found for {request.match_info['symbol']}")
        return wire.answer(asset.as_json())

    async def get_clock(self, request: web.Request) -> web.Response:
        """GET /v2/clock: the real time, unless a test has put the venue's clock wrong."""
        self._twin.authorize(request)
        return wire.answer(self._twin.desk.market.as_json(real=time.time(), virtual=self._twin.world.now()))

    async def get_calendar(self, request: web.Request) -> web.Response:
        """GET /v2/calendar ?start= &end=, both inclusive."""
        self._twin.authorize(request)
        today = datetime.now(UTC).date()
        start, end = _day(request, "start") or today, _day(request, "end") or today + timedelta(days=365)
        if end - start > LONGEST_CALENDAR:
            invalid("the calendar covers at most ten years")
        return wire.answer(calendar(start, end))

    async def list_latest(self, request: web.Request) -> web.Response:
        """GET /v2/stocks/{quotes|trades}/latest ?symbols=: what is not known is left out."""
        self._twin.authorize(request)
        kind = request.match_info["kind"]
        symbols = _symbols(request)
        found = [asset for name in symbols if (asset := ASSETS.get(name)) and not asset.is_crypto]
        shown = {asset.symbol: row for asset in found if (row := self._latest(asset, kind)) is not None}
        return wire.answer({kind: shown})

    async def get_latest(self, request: web.Request) -> web.Response:
        """GET /v2/stocks/{symbol}/{quotes|trades}/latest."""
        self._twin.authorize(request)
        kind, symbol = request.match_info["kind"], request.match_info["symbol"]
        asset = ASSETS.get(symbol)
        row = self._latest(asset, kind) if asset and not asset.is_crypto else None
        if row is None:
            refuse(404, wire.NOT_FOUND, f"no {kind.removesuffix('s')} found for {symbol}")
        return wire.answer({kind.removesuffix("s"): row, "symbol": symbol})

    async def list_latest_crypto(self, request: web.Request) -> web.Response:
        """GET /v1beta3/crypto/{feed}/latest/{quotes|trades} ?symbols=."""
        self._twin.authorize(request)
        kind = request.match_info["kind"]
        found = [asset for name in _symbols(request) if (asset := ASSETS.get(name)) and asset.is_crypto]
        shown = {asset.symbol: row for asset in found if (row := self._latest(asset, kind)) is not None}
        return wire.answer({kind: shown})

    def _latest(self, asset: Asset, kind: str) -> dict[str, Any] | None:
        tape = self._twin.desk.tape
        laid = tape.overlay(asset.symbol)
        if laid.quoteless:
            return None
        quote = tape.quote(asset.symbol, self._twin.world.now())
        at = time.time_ns() if laid.frozen_at is None else round(laid.frozen_at * 1e9)
        shown: dict[str, Any] = {"t": wire.stamp_nanoseconds(at)}
        if kind == "quotes":
            shown |= {"ap": float(quote.ask), "as": quote.ask_size, "bp": float(quote.bid), "bs": quote.bid_size}
            venue = {"ax": "V", "bx": "V", "c": ["R"]}
        else:
            shown |= {"p": float(quote.last), "s": 100 * quote.ask_size, "i": quote.step}
            venue = {"x": "V", "c": ["@"]}
        if asset.is_crypto:
            return shown if kind == "quotes" else {**shown, "tks": "B"}
        return {**shown, **venue, "z": TAPES.get(asset.exchange, "B")}


def _symbols(request: web.Request) -> list[str]:
    symbols = queries.names(request, "symbols")
    if not symbols:
        refuse(400, wire.MALFORMED, "symbols is required")
    return symbols


def _day(request: web.Request, name: str) -> date | None:
    value = queries.instant(request, name)
    return None if value is None else datetime.fromtimestamp(value, UTC).date()
