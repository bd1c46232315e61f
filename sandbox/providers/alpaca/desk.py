"""Keep the venue's books: take orders in, and write down what becomes of them.

Every change is a journaled fact, applied here the same way live and on a replay. What is to happen is decided
elsewhere (`matching.py`), once, when its time has come, and journaled before anyone sees it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.clock import Timeline
from sandbox.providers.alpaca.accounts import Account
from sandbox.providers.alpaca.agenda import Agenda
from sandbox.providers.alpaca.assets import ASSETS
from sandbox.providers.alpaca.hours import Market, expiry
from sandbox.providers.alpaca.orders import PAUSED, ZERO, Order, Terms
from sandbox.providers.alpaca.prices import Tape
from sandbox.providers.alpaca.rules import Execution, Rules
from sandbox.providers.alpaca.wire import wire_uuid

Row = list[Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """Carry the instant of a change on both clocks, and the number of the command that makes it."""

    number: int
    real: float
    virtual: float


@dataclass(frozen=True, slots=True)
class Fill:
    """Carry the fill that an update tells of."""

    qty: Decimal
    price: Decimal
    position_qty: Decimal


@dataclass(frozen=True, slots=True)
class Update:
    """Carry what a listener is told about an order, which is then as it was at that moment."""

    order: Order
    event: str
    at: float
    execution_id: str
    fill: Fill | None = None


class Desk:
    """Hold accounts, market and orders."""

    def __init__(self, *, seed: int, genesis: float, timeline: Timeline, publish: Callable[[Update], None]) -> None:
        self.tape = Tape(seed)
        self.rules = Rules()
        self.market = Market()
        self.agenda = Agenda()
        self.accounts: dict[str, Account] = {}
        self._seed = seed
        self._genesis = genesis
        self._timeline = timeline
        self._publish = publish

    def account(self, key: str) -> Account:
        """Return an account; every key has one, opened with the sandbox."""
        if key not in self.accounts:
            self.accounts[key] = Account(key=key, seed=self._seed, created_at=self._genesis)
        return self.accounts[key]

    def execution(self, order: Order) -> Execution:
        """Return the settings that apply to an order."""
        return self.rules.of(order.key, order.asset.symbol)

    def order_id(self, number: int) -> str:
        """Return the id of the order that the command of this number places; it never comes again."""
        return wire_uuid(self._genesis, self._seed, "order", number)

    def is_awaiting_replacement(self, order: Order) -> bool:
        """Tell whether an order is to take another's place and has not done so yet."""
        old = self.account(order.key).by_id.get(order.replaces or "")
        return old is not None and old.status == "pending_replace"

    def place(self, args: dict[str, Any], moment: Moment) -> None:
        """Take an order in."""
        order = self._enter(args, moment)
        if order.asset.is_crypto or self.market.is_open:
            order.status = "pending_new"
            self._start(order, moment.virtual)
        self._tell(order, order.status, moment.real)
        self.agenda.plan(order)

    def cancel(self, order: Order, moment: Moment) -> None:
        """Begin to cancel an order; a fill may still be quicker."""
        order.status = "pending_cancel"
        order.due.cancel = moment.virtual + self.execution(order).cancel_ms / 1000
        self._tell(order, "pending_cancel", moment.real)
        self.agenda.plan(order)

    def replace(self, old: Order, args: dict[str, Any], moment: Moment) -> None:
        """Begin to replace an order by another; a fill may still be quicker."""
        order = self._enter(args, moment)
        order.replaces, old.replaced_by = old.id, order.id
        # Together the two tie up what the larger one does.
        money, qty = max(ZERO, old.reserved - order.reserved), max(ZERO, old.held - order.held)
        self.account(old.key).tie_up(old, money=money, qty=qty)
        old.status = "pending_replace"
        old.due.replace = moment.virtual + self.execution(old).replace_ms / 1000
        self._tell(old, "pending_replace", moment.real)
        self.agenda.plan(old)
        self.agenda.plan(order)

    def set_open(self, is_open: bool, virtual: float) -> None:
        """Open or close the market; what waited for it starts."""
        self.market.is_open = is_open
        for account in self.accounts.values() if is_open else ():
            for order in account.open.values():
                if order.status == "accepted" and not self.is_awaiting_replacement(order):
                    self._start(order, virtual)
                    self.agenda.plan(order)

    def happen(self, row: Row) -> None:
        """Take over one happening: [kind, key, order id, virtual instant, ...]."""
        kind, key, order_id, virtual, *rest = row
        account = self.account(key)
        order = account.by_id[order_id]
        real = round(max(order.updated_at, account.activities[-1].at, self._timeline.real(virtual)), 6)
        account.begin_day(self.tape, virtual)
        match kind:
            case "new":
                order.due.ack = None
                order.due.match = virtual if order.status in PAUSED else order.due.match
                self._turn(order, "new", real, keeps=("pending_cancel", "pending_replace"))
            case "trigger":
                order.triggered = True
                order.due.match = virtual
            case "fill":
                self._fill(account, order, Decimal(rest[0]), Decimal(rest[1]), virtual=virtual, real=real)
            case "replaced":
                self._replaced(account, order, virtual=virtual, real=real)
            case "canceled" | "expired" | "rejected":
                self._end(account, order, kind, real)
            case _:
                order.due.ack = order.due.match = None
                self._turn(order, kind, real)
        self.agenda.plan(order)

    def _enter(self, args: dict[str, Any], moment: Moment) -> Order:
        account = self.account(args["key"])
        account.begin_day(self.tape, moment.virtual)
        terms = Terms.of_args(args)
        expires = expiry(moment.virtual, terms.time_in_force)
        order = Order(
            id=self.order_id(moment.number),
            client_order_id=args["client_id"],
            key=account.key,
            number=len(account.orders),
            asset=ASSETS[terms.symbol],
            terms=terms,
            intent=args["intent"],
            created_at=moment.real,
            updated_at=moment.real,
            expires_at=round(moment.real + expires - moment.virtual),
            status="accepted",
            doomed=args.get("doomed"),
        )
        order.due.expire = expires
        account.add(order)
        account.tie_up(order, money=Decimal(args["money"]), qty=Decimal(args["held"]))
        return order

    def _start(self, order: Order, virtual: float) -> None:
        execution = self.execution(order)
        order.due.ack = virtual + execution.ack_ms / 1000
        order.due.match = virtual + max(execution.ack_ms, execution.fill_ms) / 1000

    def _fill(
        self, account: Account, order: Order, qty: Decimal, price: Decimal, *, virtual: float, real: float
    ) -> None:
        order.filled_qty += qty
        order.filled_cost += qty * price
        order.fills += 1
        position_qty = account.fill(order, qty, price)
        is_final = order.terms.notional is not None or order.leaves <= 0
        was = order.status
        if is_final:
            order.status, order.filled_at = "filled", real
        elif was not in ("pending_cancel", "pending_replace"):
            order.status = "partially_filled"
        execution_id = self._tell(order, "fill" if is_final else "partial_fill", real, Fill(qty, price, position_qty))
        account.record_fill(order, at=real, execution_id=execution_id, qty=qty, price=price)
        if is_final:
            self._close(account, order, real)
            if was == "pending_cancel":
                self._tell(order, "order_cancel_rejected", real)
            return
        share = order.leaves / (order.leaves + qty)
        account.tie_up(order, money=order.reserved * share, qty=order.held * share)
        pause = 0.0 if order.terms.time_in_force == "ioc" else self.execution(order).part_ms / 1000
        order.due.match = virtual + pause

    def _replaced(self, account: Account, old: Order, *, virtual: float, real: float) -> None:
        old.replaced_at = real
        self._turn(old, "replaced", real)
        account.tie_up(old, money=ZERO, qty=ZERO)
        del account.open[old.id]
        order = account.by_id[old.replaced_by or ""]
        if order.asset.is_crypto or self.market.is_open:
            self._start(order, virtual)
            self.agenda.plan(order)

    def _end(self, account: Account, order: Order, status: str, real: float) -> None:
        if status == "canceled":
            order.canceled_at = real
        elif status == "expired":
            order.expired_at = real
        else:
            order.failed_at = real
        self._turn(order, status, real)
        self._close(account, order, real)

    def _close(self, account: Account, order: Order, real: float) -> None:
        account.tie_up(order, money=ZERO, qty=ZERO)
        del account.open[order.id]
        successor = account.open.get(order.replaced_by or "")
        if successor is not None:
            order.replaced_by = None
            self._tell(order, "order_replace_rejected", real)
            self._end(account, successor, "rejected", real)

    def _turn(self, order: Order, status: str, real: float, *, keeps: tuple[str, ...] = ()) -> None:
        if order.status not in keeps:
            order.status = status
        self._tell(order, status, real)

    def _tell(self, order: Order, event: str, real: float, fill: Fill | None = None) -> str:
        order.events += 1
        order.updated_at = real
        execution_id = wire_uuid(order.id, order.events)
        self._publish(Update(order, event, real, execution_id, fill))
        return execution_id
