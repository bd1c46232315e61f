"""Serve `/v2/positions`."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.providers.alpaca import wire
from sandbox.providers.alpaca.accounts import Account, Position
from sandbox.providers.alpaca.assets import NINE_PLACES, find_asset
from sandbox.providers.alpaca.drafts import check_terms, invalid, number_of, refuse
from sandbox.providers.alpaca.orders import BUY, SELL, Order, Terms
from sandbox.providers.alpaca.shapes import position_object
from sandbox.providers.base import Refused

if TYPE_CHECKING:
    from sandbox.providers.alpaca.orders_api import OrdersApi
    from sandbox.providers.alpaca.twin import Alpaca

HUNDRED = Decimal(100)


class PositionsApi:
    """Show positions and close them."""

    def __init__(self, twin: "Alpaca", orders: "OrdersApi") -> None:
        self._twin = twin
        self._orders = orders

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoints."""
        yield web.get("/v2/positions", self.list)
        yield web.delete("/v2/positions", self.close_all)
        yield web.get("/v2/positions/{symbol:.+}", self.get)
        yield web.delete("/v2/positions/{symbol:.+}", self.close)

    async def list(self, request: web.Request) -> web.Response:
        """GET /v2/positions."""
        account = self._twin.authorize(request)
        return wire.answer([self._shown(account, position) for position in account.positions.values()])

    async def get(self, request: web.Request) -> web.Response:
        """GET /v2/positions/{symbol or asset id}."""
        account = self._twin.authorize(request)
        return wire.answer(self._shown(account, self._position(account, request)))

    async def close(self, request: web.Request) -> web.Response:
        """DELETE /v2/positions/{symbol or asset id} ?qty= | ?percentage=: answer with the order that closes it."""
        account = self._twin.authorize(request)
        position = self._position(account, request)
        return wire.answer(self._close(account, position, _portion(request, position)).as_json())

    async def close_all(self, request: web.Request) -> web.Response:
        """DELETE /v2/positions ?cancel_orders=: one row with a status for each position."""
        account = self._twin.authorize(request)
        if request.query.get("cancel_orders", "").lower() == "true" and account.open:
            now = self._twin.world.now()
            # An order that waits to take another's place ends with that one.
            ending = [order for order in account.open.values() if not self._twin.desk.is_awaiting_replacement(order)]
            rows = [["canceled", account.key, order.id, now] for order in ending]
            self._twin.commit("happened", {"rows": rows})
        answers: list[dict[str, Any]] = []
        for position in list(account.positions.values()):
            status, body = self._try_close(account, position)
            answers.append({"symbol": position.asset.symbol.replace("/", ""), "status": status, "body": body})
        return wire.answer(answers, status=207)

    def _try_close(self, account: Account, position: Position) -> tuple[int, Any]:
        try:
            return 200, self._close(account, position, abs(position.qty)).as_json()
        except Refused as refused:
            return refused.response.status, wire.body_of(refused.response)

    def _close(self, account: Account, position: Position, qty: Decimal) -> Order:
        terms = Terms(
            symbol=position.asset.symbol,
            side=SELL if position.qty > 0 else BUY,
            type="market",
            time_in_force="gtc" if position.asset.is_crypto else "day",
            qty=qty,
            notional=None,
            limit=None,
            stop=None,
            extended_hours=False,
        )
        check_terms(terms, position.asset)
        return self._orders.enter(account, terms, position.asset, None)

    def _position(self, account: Account, request: web.Request) -> Position:
        asset = find_asset(request.match_info["symbol"])
        position = account.positions.get(asset.symbol) if asset else None
        if position is None:
            refuse(404, wire.NOT_FOUND, "position does not exist")
        return position

    def _shown(self, account: Account, position: Position) -> dict[str, Any]:
        return position_object(account, position, self._twin.desk.tape, self._twin.world.now())


def _portion(request: web.Request, position: Position) -> Decimal:
    query = dict(request.query)
    qty, percentage = number_of(query, "qty"), number_of(query, "percentage")
    if qty is not None and percentage is not None:
        invalid("only one of qty or percentage is accepted")
    if percentage is None:
        return abs(position.qty) if qty is None else qty
    if percentage > HUNDRED:
        invalid("percentage must be between 0 and 100")
    whole = position.qty == position.qty.to_integral_value()
    part = abs(position.qty) * percentage / HUNDRED
    return max(part.quantize(Decimal(1) if whole else NINE_PLACES), Decimal(1) if whole else NINE_PLACES)
