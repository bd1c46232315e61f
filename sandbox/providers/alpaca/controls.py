"""Steer the Alpaca twin from tests, under `/_control/alpaca`.

| endpoint               | body                                                       | does                        |
|------------------------|------------------------------------------------------------|-----------------------------|
| `POST /quote`          | symbol ("*": all), price or bid and ask, release, frozen,  | holds a price, lets it go;  |
|                        | age_seconds, quoteless, halted                             | makes it stale, absent, ... |
| `POST /market`         | open, clock_skew_seconds                                   | closes, opens; wrong clock  |
| `POST /account`        | key_id, cash, multiplier, trading_blocked,                 | changes an account          |
|                        | account_blocked, shorting_enabled                          |                             |
| `POST /execution`      | key_id, symbol, ack_ms, fill_ms, cancel_ms, replace_ms,    | how orders are executed;    |
|                        | parts, part_ms, hold                                       | see `rules.py`              |
| `DELETE /execution`    | ?key_id=                                                   | forgets those rules         |
| `POST /refusal`        | key_id, symbol, status, code, message, count, later        | refuses the next orders     |
| `POST /order`          | key_id, order_id, op, qty, price                           | lets one thing happen now   |
| `POST /rate`           | key_id, limit (null: the usual)                            | requests a minute           |
| `GET, DELETE /streams` | ?key_id=                                                   | counts, cuts connections    |
| `GET /state`           | ?key_id=                                                   | the complete truth          |

`key_id` and `symbol` left out mean every account and every symbol; `POST /account`, `POST /order` and `GET /state`
need one account. `price` holds the last price there, bid and ask one tick beside it. `frozen`: quotes keep the
time at which they were frozen, `age_seconds` before now. A held order (`hold`) is acknowledged and not filled.
`parts`: a fill in that many, `part_ms` apart; an ioc order gets the first, a fok order nothing, a notional order
all at once. `cancel_ms`: how long an order is `pending_cancel`, while fills still reach it. `refusal` answers with
the error, or with `later` accepts the order and rejects it when it would have become new. `op`: fill (qty and
price optional), cancel, expire, reject, or a status that pauses it (done_for_day, suspended, ...); new resumes.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.clock import wire_time
from sandbox.fields import BadControlInput, Fields
from sandbox.providers.alpaca import wire
from sandbox.providers.alpaca.accounts import CENTS, Account
from sandbox.providers.alpaca.assets import ASSETS, find_asset
from sandbox.providers.alpaca.desk import Moment
from sandbox.providers.alpaca.drafts import LARGEST, NUMBER
from sandbox.providers.alpaca.keys import KEY
from sandbox.providers.alpaca.orders import PAUSED, Order
from sandbox.providers.alpaca.refusals import Refusals
from sandbox.providers.alpaca.shapes import account_object, position_object

if TYPE_CHECKING:
    from sandbox.providers.alpaca.twin import Alpaca

EVERY = "*"
LONGEST_MS = 3_600_000
MOST_PARTS = 100
ENDS = {"cancel": "canceled", "expire": "expired", "reject": "rejected"}
TIMES = ("ack_ms", "fill_ms", "cancel_ms", "replace_ms", "part_ms")
BLOCKS = ("trading_blocked", "account_blocked", "shorting_enabled")


class AlpacaControls:
    """Serve the controls, and take over what they journaled."""

    def __init__(self, twin: "Alpaca") -> None:
        self._twin = twin
        self._refusals = Refusals()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoints, without the `/_control/alpaca` prefix."""
        yield web.post("/quote", self.set_quote)
        yield web.post("/market", self.set_market)
        yield web.post("/account", self.set_account)
        yield web.post("/execution", self.set_execution)
        yield web.delete("/execution", self.clear_execution)
        yield web.post("/refusal", self.add_refusal)
        yield web.post("/order", self.steer_order)
        yield web.post("/rate", self.set_rate)
        yield web.get("/streams", self.count_streams)
        yield web.delete("/streams", self.cut_streams)
        yield web.get("/state", self.get_state)

    def refusal(self, key: str, symbol: str) -> dict[str, Any]:
        """Refuse the order that is being placed if a test asked for it; else return what goes into its command."""
        refusal = self._refusals.find(key, symbol)
        if refusal is None:
            return {}
        if refusal.later:
            return {"doomed": refusal.message, "refusal": refusal.id}
        self._twin.commit("refusal_spent", {"id": refusal.id})
        raise refusal.refused()

    def placed(self, args: dict[str, Any]) -> None:
        """Hear that an order was placed, one that is to be rejected later perhaps."""
        if "refusal" in args:
            self._refusals.spend(args["refusal"])

    def apply(self, op: str, args: dict[str, Any], moment: Moment) -> None:
        """Take over a control's command."""
        twin, desk = self._twin, self._twin.desk
        match op:
            case "quote":
                for symbol in args["symbols"]:
                    desk.tape.lay(symbol, **_overlay(args["changes"]))
                twin.matcher.look_again()
            case "market":
                desk.set_open(args["open"], moment.virtual)
                desk.market.skew = args["skew"]
                twin.matcher.look_again()
            case "account":
                _change_account(desk.account(args["key"]), args["changes"], moment)
            case "execution":
                desk.rules.change((args["key"], args["symbol"]), args["changes"])
                twin.matcher.look_again()
            case "execution_cleared":
                desk.rules.clear(args["key"])
                twin.matcher.look_again()
            case "refusal":
                self._refusals.add(moment.number, args)
            case "refusal_spent":
                self._refusals.spend(args["id"])
            case "rate":
                twin.meter.set_limit(args["key"], args["limit"])
            case unknown:
                raise ValueError(f"the journal holds an unknown command {unknown!r}")

    async def set_quote(self, request: web.Request) -> web.Response:
        """Hold, freeze, hide or halt a symbol's price."""
        fields = await Fields.of(request)
        symbols = list(ASSETS) if fields.text("symbol") == EVERY else [self._symbol(fields)]
        changes = self._quote_changes(fields, symbols)
        fields.finish()
        self._commit("quote", {"symbols": symbols, "changes": changes})
        quotes = {symbol: self._twin.desk.tape.quote(symbol, self._twin.world.now()) for symbol in symbols}
        shown = {name: {"bid": wire.text(quote.bid), "ask": wire.text(quote.ask)} for name, quote in quotes.items()}
        return web.json_response({"quotes": shown})

    async def set_market(self, request: web.Request) -> web.Response:
        """Open or close the market; put its clock wrong."""
        fields = await Fields.of(request)
        market = self._twin.desk.market
        is_open = fields.flag("open", default=market.is_open)
        skew = fields.find_number("clock_skew_seconds", low=-86_400, high=86_400)
        fields.finish()
        self._commit("market", {"open": is_open, "skew": market.skew if skew is None else skew})
        return web.json_response({"open": market.is_open, "clock_skew_seconds": market.skew})

    async def set_account(self, request: web.Request) -> web.Response:
        """Change an account's cash, margin or permissions."""
        fields = await Fields.of(request)
        account = self._account(fields)
        changes: dict[str, Any] = {
            name: fields.flag(name, default=False) for name in BLOCKS if fields.find(name) is not None
        }
        cash = _money(fields, "cash", least=-LARGEST)
        if cash is not None:
            changes["cash"] = wire.text(cash.quantize(CENTS))
        multiplier = fields.find_number("multiplier", low=1, high=4)
        if multiplier is not None:
            changes["multiplier"] = int(multiplier)
        fields.finish()
        self._commit("account", {"key": account.key, "changes": changes})
        return web.json_response(account_object(account, self._twin.desk.tape, self._twin.world.now()))

    async def set_execution(self, request: web.Request) -> web.Response:
        """Set how orders are executed; answer with what applies then."""
        fields = await Fields.of(request)
        key, symbol = self._scope(fields)
        changes: dict[str, Any] = {
            name: value for name in TIMES if (value := fields.find_number(name, low=0, high=LONGEST_MS)) is not None
        }
        parts = fields.find_number("parts", low=1, high=MOST_PARTS)
        if parts is not None:
            changes["parts"] = int(parts)
        if fields.find("hold") is not None:
            changes["hold"] = fields.flag("hold", default=False)
        fields.finish()
        self._commit("execution", {"key": key, "symbol": symbol, "changes": changes})
        return web.json_response({"key_id": key, "symbol": symbol, **changes})

    async def clear_execution(self, request: web.Request) -> web.Response:
        """Forget the rules of one account, or all."""
        fields = Fields.of_query(request)
        key, _ = self._scope(fields)
        fields.finish()
        self._commit("execution_cleared", {"key": key})
        return web.json_response({"key_id": key})

    async def add_refusal(self, request: web.Request) -> web.Response:
        """Refuse the next orders."""
        fields = await Fields.of(request)
        key, symbol = self._scope(fields)
        args = {
            "key": key,
            "symbol": symbol,
            "status": int(fields.find_number("status", low=400, high=599) or 403),
            "code": int(fields.find_number("code", low=0, high=10**9) or wire.FORBIDDEN),
            "message": fields.find_text("message") or "order refused by a test",
            "count": int(fields.find_number("count", low=1, high=10**6) or 1),
            "later": fields.flag("later", default=False),
        }
        fields.finish()
        self._commit("refusal", args)
        return web.json_response(args, status=201)

    async def steer_order(self, request: web.Request) -> web.Response:
        """Let something happen to an open order; answer with the order as it is then."""
        fields = await Fields.of(request)
        order = self._order(fields)
        op = fields.text("op", choices=("fill", *ENDS, *sorted(PAUSED), "new"))
        qty, price = (_money(fields, name) for name in ("qty", "price")) if op == "fill" else (None, None)
        fields.finish()
        row: list[Any] = [ENDS.get(op, op), order.key, order.id, self._twin.world.now()]
        if op == "fill":
            row += self._fill_of(order, qty, price)
        self._commit("happened", {"rows": [row]})
        return web.json_response(order.as_json())

    async def set_rate(self, request: web.Request) -> web.Response:
        """Set how many requests a minute a key, or every key, may send."""
        fields = await Fields.of(request)
        key, _ = self._scope(fields)
        limit = fields.find_number("limit", low=0, high=10**9)
        fields.finish()
        self._commit("rate", {"key": key, "limit": None if limit is None else int(limit)})
        return web.json_response({"key_id": key, "limit": limit})

    async def count_streams(self, request: web.Request) -> web.Response:
        """Count the connections to the stream."""
        fields = Fields.of_query(request)
        key, _ = self._scope(fields)
        fields.finish()
        return web.json_response(self._twin.hub.count(key))

    async def cut_streams(self, request: web.Request) -> web.Response:
        """Cut the connections to the stream."""
        fields = Fields.of_query(request)
        key, _ = self._scope(fields)
        fields.finish()
        return web.json_response({"cut": self._twin.hub.cut(key)})

    async def get_state(self, request: web.Request) -> web.Response:
        """Return everything about an account, oldest first."""
        fields = Fields.of_query(request)
        account = self._account(fields)
        fields.finish()
        self._twin.settle()
        tape, now = self._twin.desk.tape, self._twin.world.now()
        state = {
            "virtual_now": wire_time(now),
            "account": account_object(account, tape, now),
            "positions": [position_object(account, each, tape, now) for each in account.positions.values()],
            "orders": [order.as_json() for order in account.orders],
            "activities": [activity.shown for activity in account.activities],
        }
        return wire.answer(state)

    def _commit(self, op: str, args: dict[str, Any]) -> None:
        self._twin.commit(op, args)
        self._twin.settle()

    def _account(self, fields: Fields) -> Account:
        key = fields.text("key_id")
        if not KEY.fullmatch(key):
            raise BadControlInput("key_id", "Must be a paper key: PK and 18 letters or digits.")
        self._twin.settle()
        return self._twin.desk.account(key)

    def _scope(self, fields: Fields) -> tuple[str | None, str | None]:
        key = self._account(fields).key if fields.find("key_id") is not None else None
        symbol = self._symbol(fields) if fields.find("symbol") is not None else None
        self._twin.settle()
        return key, symbol

    def _symbol(self, fields: Fields) -> str:
        asset = find_asset(fields.text("symbol"))
        if asset is None:
            raise BadControlInput("symbol", "There is no such asset.")
        self._twin.settle()
        return asset.symbol

    def _order(self, fields: Fields) -> Order:
        order = self._account(fields).by_id.get(fields.text("order_id"))
        if order is None:
            raise BadControlInput("order_id", "The account has no such order.")
        if not order.is_open:
            raise BadControlInput("order_id", f"The order is {order.status}.")
        return order

    def _fill_of(self, order: Order, qty: Decimal | None, price: Decimal | None) -> list[str]:
        quote = self._twin.desk.tape.quote(order.asset.symbol, self._twin.world.now())
        price = price or (quote.ask if order.is_buy else quote.bid)
        if order.terms.qty is None:
            return [wire.text((qty or order.terms.notional or Decimal(0)) / price), wire.text(price)]
        if qty is not None and qty > order.leaves:
            raise BadControlInput("qty", "There is less left to fill.")
        return [wire.text(qty or order.leaves), wire.text(price)]

    def _quote_changes(self, fields: Fields, symbols: list[str]) -> dict[str, Any]:
        changes: dict[str, Any] = {
            name: fields.flag(name, default=False) for name in ("quoteless", "halted") if fields.find(name) is not None
        }
        price, bid, ask = (_money(fields, name) for name in ("price", "bid", "ask"))
        if price is not None and bid is None and ask is None:
            tick = ASSETS[symbols[0]].tick
            bid, ask = price - tick, price + tick
        if (bid is None) != (ask is None) or (price is not None and fields.find("bid") is not None):
            raise BadControlInput("price", "Give price, or both bid and ask.")
        if bid is not None and ask is not None:
            if not 0 < bid <= ask:
                raise BadControlInput("bid", "Must be above 0 and not above ask.")
            changes |= {"bid": wire.text(bid), "ask": wire.text(ask)}
        if fields.flag("release", default=False):
            changes |= {"bid": None, "ask": None}
        age = fields.find_number("age_seconds", low=0, high=10**8)
        if fields.find("frozen") is not None or age is not None:
            is_frozen = fields.flag("frozen", default=True)
            changes["frozen_at"] = self._twin.world.journal.now() - (age or 0) if is_frozen else None
        return changes


def _overlay(changes: dict[str, Any]) -> dict[str, Any]:
    prices: dict[str, Any] = {
        name: Decimal(changes[name]) if changes[name] else None for name in ("bid", "ask") if name in changes
    }
    return {**changes, **prices}


def _change_account(account: Account, changes: dict[str, Any], moment: Moment) -> None:
    for name in (*BLOCKS, "multiplier"):
        setattr(account, name, changes.get(name, getattr(account, name)))
    cash = Decimal(changes["cash"]) if "cash" in changes else account.cash
    if cash != account.cash:
        kind = "CSD" if cash > account.cash else "CSW"
        identifier = wire.wire_uuid(account.id, "cash", moment.number)
        account.record_cash(moment.real, kind, cash - account.cash, identifier)
        account.cash = cash


def _money(fields: Fields, name: str, *, least: Decimal = Decimal(0)) -> Decimal | None:
    value = fields.find_text(name)
    if value is None:
        return None
    if not NUMBER.fullmatch(value) or not least < Decimal(value) < LARGEST:
        raise BadControlInput(name, 'Must be a decimal string, such as "101.50".')
    return Decimal(value)
