"""Hold one paper account: cash, positions at average cost, orders, activities, what open orders tie up."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.providers.alpaca.assets import ASSETS, NINE_PLACES, Asset
from sandbox.providers.alpaca.hours import midnight_before
from sandbox.providers.alpaca.orders import ZERO, Order
from sandbox.providers.alpaca.prices import Tape
from sandbox.providers.alpaca.wire import NEW_YORK, digest, stamp, text, wire_uuid

OPENING_CASH = Decimal(1_000_000)
REGT_SHARE = Decimal("0.5")
MAINTENANCE_SHARE = Decimal("0.3")
CENTS = Decimal("0.01")


@dataclass(slots=True)
class Position:
    """Hold a position: signed quantity and signed cost."""

    asset: Asset
    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def average(self) -> Decimal:
        """Return the average entry price."""
        return (self.cost / self.qty).quantize(NINE_PLACES)

    def trade(self, change: Decimal, price: Decimal) -> None:
        """Add to the position, or take from it at average cost; through zero the rest is entered anew."""
        if self.qty * change >= 0:
            self.qty, self.cost = self.qty + change, self.cost + change * price
        elif abs(change) <= abs(self.qty):
            self.cost += self.cost * change / self.qty
            self.qty += change
        else:
            self.qty += change
            self.cost = self.qty * price


@dataclass(frozen=True, slots=True)
class Activity:
    """Hold one activity: its instant, its kind, its wire form."""

    at: float
    kind: str
    shown: dict[str, Any]


@dataclass(slots=True)
class Day:
    """Hold the equity with which a day in New York began."""

    start: float
    equity: Decimal


@dataclass(slots=True)
class Valuation:
    """Hold what an account is worth at an instant, in USD."""

    cash: Decimal
    long: Decimal
    short: Decimal
    unmargined: Decimal
    reserved: Decimal
    multiplier: int

    @property
    def equity(self) -> Decimal:
        """Return cash and positions; a short position counts negative."""
        return self.cash + self.long + self.short

    @property
    def initial_margin(self) -> Decimal:
        """Return Regulation T's initial margin; crypto is paid in full."""
        marginable = self.long - self.unmargined - self.short
        return marginable * (REGT_SHARE if self.multiplier > 1 else 1) + self.unmargined

    @property
    def maintenance_margin(self) -> Decimal:
        """Return the maintenance margin."""
        return (self.long - self.unmargined - self.short) * MAINTENANCE_SHARE

    @property
    def buying_power(self) -> Decimal:
        """Return what may still be bought, after open orders."""
        return max(ZERO, max(ZERO, self.equity - self.initial_margin) * self.multiplier - self.reserved)


@dataclass(slots=True)
class Account:
    """Hold an account. Everything in it follows from the journal."""

    key: str
    seed: int
    created_at: float
    cash: Decimal = OPENING_CASH
    multiplier: int = 2
    trading_blocked: bool = False
    account_blocked: bool = False
    shorting_enabled: bool = True
    reserved: Decimal = ZERO
    held: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    open: dict[str, Order] = field(default_factory=dict)
    by_id: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, Order] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    activity_places: dict[str, int] = field(default_factory=dict)
    day: Day | None = None

    def __post_init__(self) -> None:
        self.record_cash(self.created_at, "CSD", OPENING_CASH, wire_uuid(self.seed, self.key, "opening"))

    @property
    def id(self) -> str:
        """Return the account's id."""
        return wire_uuid(self.seed, self.key, "account")

    @property
    def number(self) -> str:
        """Return the account's number, of the form of a paper account's."""
        return f"PA3{digest(self.seed, self.key, 'number').hex()[:9].upper()}"

    def add(self, order: Order) -> None:
        """Take an order into the books."""
        self.orders.append(order)
        self.open[order.id] = self.by_id[order.id] = self.by_client_id[order.client_order_id] = order

    def qty(self, symbol: str) -> Decimal:
        """Return the signed quantity of a position."""
        position = self.positions.get(symbol)
        return position.qty if position else ZERO

    def available(self, symbol: str) -> Decimal:
        """Return how much of a position open orders do not close yet."""
        return abs(self.qty(symbol)) - self.held.get(symbol, ZERO)

    def tie_up(self, order: Order, *, money: Decimal, qty: Decimal) -> None:
        """Set what an open order ties up: buying power, or a part of the position that it closes."""
        symbol = order.asset.symbol
        self.reserved += money - order.reserved
        self.held[symbol] = self.held.get(symbol, ZERO) + qty - order.held
        order.reserved, order.held = money, qty

    def fill(self, order: Order, qty: Decimal, price: Decimal) -> Decimal:
        """Book a fill; return the position's quantity then."""
        change = qty if order.is_buy else -qty
        position = self.positions.setdefault(order.asset.symbol, Position(order.asset))
        position.trade(change, price)
        self.cash -= change * price
        if not position.qty:
            del self.positions[order.asset.symbol]
        return position.qty

    def record_fill(self, order: Order, *, at: float, execution_id: str, qty: Decimal, price: Decimal) -> None:
        """Append a fill to the activities, after the order has changed."""
        self._record(
            at,
            "FILL",
            execution_id,
            {
                "transaction_time": stamp(at),
                "type": "fill" if order.status == "filled" else "partial_fill",
                "price": text(price),
                "qty": text(qty),
                "side": order.terms.side,
                "symbol": order.asset.symbol,
                "leaves_qty": text(order.leaves),
                "order_id": order.id,
                "cum_qty": text(order.filled_qty),
                "order_status": order.status,
            },
        )

    def record_cash(self, at: float, kind: str, amount: Decimal, identifier: str) -> None:
        """Append cash that came (CSD) or went (CSW)."""
        day = datetime.fromtimestamp(at, NEW_YORK).date().isoformat()
        shown = {"date": day, "net_amount": text(amount), "description": "", "status": "executed"}
        self._record(at, kind, identifier, shown)

    def value(self, tape: Tape, virtual: float) -> Valuation:
        """Value the account at a virtual instant."""
        worth = {symbol: position.qty * tape.quote(symbol, virtual).last for symbol, position in self.positions.items()}
        return Valuation(
            cash=self.cash,
            long=sum((value for value in worth.values() if value > 0), ZERO),
            short=sum((value for value in worth.values() if value < 0), ZERO),
            unmargined=sum((value for symbol, value in worth.items() if ASSETS[symbol].is_crypto), ZERO),
            reserved=self.reserved,
            multiplier=self.multiplier,
        )

    def begin_day(self, tape: Tape, virtual: float) -> Day:
        """Note, before anything changes on a new day, the equity with which it begins."""
        start = midnight_before(virtual)
        if self.day is None or self.day.start != start:
            held = (position.qty * tape.process(symbol, start) for symbol, position in self.positions.items())
            self.day = Day(start, self.cash + sum(held, ZERO))
        return self.day

    def _record(self, at: float, kind: str, identifier: str, shown: dict[str, Any]) -> None:
        moment = datetime.fromtimestamp(at, NEW_YORK)
        full = f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}::{identifier}"
        self.activity_places[full] = len(self.activities)
        self.activities.append(Activity(at, kind, {"id": full, "activity_type": kind, **shown}))
