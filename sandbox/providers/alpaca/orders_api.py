"""Serve `/v2/orders`."""

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.providers.alpaca import queries, wire
from sandbox.providers.alpaca.accounts import Account
from sandbox.providers.alpaca.assets import Asset, find_asset
from sandbox.providers.alpaca.checks import commitment
from sandbox.providers.alpaca.drafts import (
    body_of,
    changed_terms,
    client_id_of,
    invalid,
    refuse,
    terms_of,
    unprocessable,
)
from sandbox.providers.alpaca.orders import Order, Terms

if TYPE_CHECKING:
    from sandbox.providers.alpaca.twin import Alpaca

USUAL_COUNT, LARGEST_COUNT = 50, 500
REPLACEABLE = frozenset({"new", "partially_filled", "accepted", "pending_new"})


class OrdersApi:
    """Place, show, replace and cancel orders."""

    def __init__(self, twin: "Alpaca") -> None:
        self._twin = twin

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoints."""
        yield web.post("/v2/orders", self.place)
        yield web.get("/v2/orders", self.list)
        yield web.delete("/v2/orders", self.cancel_all)
        yield web.get("/v2/orders:by_client_order_id", self.get_by_client_id)
        yield web.get("/v2/orders/{order_id}", self.get)
        yield web.patch("/v2/orders/{order_id}", self.replace)
        yield web.delete("/v2/orders/{order_id}", self.cancel)

    async def place(self, request: web.Request) -> web.Response:
        """POST /v2/orders."""
        account = self._twin.authorize(request)
        body = await body_of(request)
        terms, asset = terms_of(body)
        return wire.answer(self.enter(account, terms, asset, client_id_of(body)).as_json())

    def enter(self, account: Account, terms: Terms, asset: Asset, client_id: str | None) -> Order:
        """Place an order that passes the checks; also for those that close a position."""
        args = self._args(account, terms, asset, client_id)
        if not (asset.is_crypto or self._twin.desk.market.is_open) and terms.time_in_force in ("ioc", "fok"):
            unprocessable(f"{terms.time_in_force} orders are only accepted during market hours")
        args |= self._twin.controls.refusal(account.key, asset.symbol)
        command = self._twin.commit("place", args)
        return account.by_id[self._twin.desk.order_id(command.n)]

    async def get(self, request: web.Request) -> web.Response:
        """GET /v2/orders/{id}."""
        return wire.answer(self._order(self._twin.authorize(request), request).as_json())

    async def get_by_client_id(self, request: web.Request) -> web.Response:
        """GET /v2/orders:by_client_order_id?client_order_id=."""
        account = self._twin.authorize(request)
        client_id = request.query.get("client_order_id", "")
        order = account.by_client_id.get(client_id)
        if order is None:
            refuse(404, wire.NOT_FOUND, f"order not found for {client_id}")
        return wire.answer(order.as_json())

    async def list(self, request: web.Request) -> web.Response:
        """GET /v2/orders ?status= &limit= &after= &until= &direction= &symbols= &side=."""
        account = self._twin.authorize(request)
        wanted = queries.choice(request, "status", ("open", "closed", "all"))
        most = queries.count(request, "limit", default=USUAL_COUNT, most=LARGEST_COUNT)
        is_rising = queries.choice(request, "direction", ("desc", "asc")) == "asc"
        after, until = queries.instant(request, "after"), queries.instant(request, "until")
        symbols = {asset.symbol for name in queries.names(request, "symbols") if (asset := find_asset(name))}
        has_symbols, side = bool(request.query.get("symbols")), request.query.get("side")
        shown: list[dict[str, Any]] = []
        for order in _in_order(account, wanted, after, until, is_rising=is_rising):
            if (has_symbols and order.asset.symbol not in symbols) or (side and order.terms.side != side):
                continue
            shown.append(order.as_json())
            if len(shown) == most:
                break
        return wire.answer(shown)

    async def replace(self, request: web.Request) -> web.Response:
        """PATCH /v2/orders/{id}: answer with the order that is to take its place."""
        account = self._twin.authorize(request)
        order = self._order(account, request)
        return wire.answer(self.begin_replace(order, await body_of(request)).as_json())

    def begin_replace(self, order: Order, body: dict[str, Any]) -> Order:
        """Begin to replace an order that can be replaced; return its successor."""
        if not order.is_open:
            unprocessable(f'order is already in "{order.status}" state')
        if order.status not in REPLACEABLE or self._twin.desk.is_awaiting_replacement(order):
            unprocessable(f"unable to replace order in {order.status} state")
        account, terms = self._twin.desk.account(order.key), changed_terms(order, body)
        args = self._args(account, terms, order.asset, client_id_of(body), old=order)
        command = self._twin.commit("replace", {**args, "replaces": order.id})
        return account.by_id[self._twin.desk.order_id(command.n)]

    async def cancel(self, request: web.Request) -> web.Response:
        """DELETE /v2/orders/{id}: 204 when the cancel is under way, which a fill may still outrun."""
        account = self._twin.authorize(request)
        self.begin_cancel(self._order(account, request))
        return web.Response(status=204)

    def begin_cancel(self, order: Order) -> None:
        """Begin to cancel an order that can be canceled."""
        if not self._is_cancelable(order):
            state = "pending_replace" if order.is_open and order.status == "accepted" else order.status
            unprocessable(f'order is already in "{state}" state')
        self._twin.commit("cancel", {"key": order.key, "id": order.id})

    async def cancel_all(self, request: web.Request) -> web.Response:
        """DELETE /v2/orders: one row with a status for each open order."""
        account = self._twin.authorize(request)
        rows = []
        for order in list(account.open.values()):
            can_cancel = self._is_cancelable(order)
            if can_cancel:
                self.begin_cancel(order)
            rows.append({"id": order.id, "status": 200 if can_cancel else 422})
        return wire.answer(rows, status=207)

    def _args(
        self, account: Account, terms: Terms, asset: Asset, client_id: str | None, old: Order | None = None
    ) -> dict[str, Any]:
        if client_id is not None and client_id in account.by_client_id:
            invalid("client_order_id must be unique")
        tape, virtual = self._twin.desk.tape, self._twin.world.now()
        tied = commitment(account, terms, asset, tape=tape, virtual=virtual, old=old)
        return {
            "key": account.key,
            "client_id": client_id or str(uuid.uuid4()),
            **terms.as_args(),
            **tied.as_args(),
        }

    def _order(self, account: Account, request: web.Request) -> Order:
        order_id = request.match_info["order_id"]
        try:
            order = account.by_id.get(str(uuid.UUID(order_id)))
        except ValueError:
            invalid("order_id is missing")
        if order is None:
            refuse(404, wire.NOT_FOUND, f"order not found for {order_id}")
        return order

    def _is_cancelable(self, order: Order) -> bool:
        is_moving = order.status in ("pending_cancel", "pending_replace")
        return order.is_open and not is_moving and not self._twin.desk.is_awaiting_replacement(order)


def _in_order(
    account: Account, wanted: str, after: float | None, until: float | None, *, is_rising: bool
) -> Iterator[Order]:
    """Yield the orders placed between two instants, both exclusive."""
    rows = list(account.open.values()) if wanted == "open" else account.orders
    low = 0 if after is None else bisect_right(rows, after, key=lambda order: order.created_at)
    high = len(rows) if until is None else bisect_left(rows, until, key=lambda order: order.created_at)
    places = range(low, high) if is_rising else range(high - 1, low - 1, -1)
    return (rows[place] for place in places if wanted != "closed" or not rows[place].is_open)
