"""Decide what happens to orders by itself: acknowledgement, trades, the end of a cancel, a replace or a day.

The deciding is read-only: it returns rows for the journal, see `Desk.happen`.
"""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from math import ceil

from sandbox.providers.alpaca.assets import NINE_PLACES
from sandbox.providers.alpaca.desk import Desk, Row
from sandbox.providers.alpaca.orders import PAUSED, ZERO, Order
from sandbox.providers.alpaca.prices import STEP_SECONDS, Quote
from sandbox.providers.alpaca.wire import text

# A jump of the clock is walked through in at most this many steps: what a price did between two is not seen.
MOST_STEPS = 300
AT_ONCE = ("ioc", "fok")
ENDS = {"cancel": "canceled", "replace": "replaced", "expire": "expired"}


class Matcher:
    """Bring orders and prices together as virtual time passes."""

    def __init__(self, desk: Desk, *, begin: float) -> None:
        self._desk = desk
        self._walked = self._since = begin
        self._looked_at = 0

    def passed(self, instant: float) -> None:
        """Hear that everything up to a virtual instant has been decided, before a restart perhaps."""
        self._walked = max(self._walked, instant)

    def look_again(self) -> None:
        """Hear that the market changed, within a step as well."""
        self._looked_at = 0

    def next_due(self) -> float | None:
        """Return the virtual instant at which there may be something to do, None while there is nothing."""
        planned = self._desk.agenda.next_due
        if not self._desk.agenda.has_waiting:
            return planned
        step = (self._looked_at + 1) * STEP_SECONDS
        return step if planned is None else min(step, planned)

    def walk(self, now: float) -> Iterator[float]:
        """Yield the virtual instants at which to look, up to now."""
        start = self._since = self._walked
        self._walked = max(now, start)
        steps = min(MOST_STEPS, ceil((now - start) / STEP_SECONDS))
        for number in range(1, steps):
            yield start + (now - start) * number / steps
        yield now

    def rows(self, instant: float) -> list[Row]:
        """Return what has happened by a virtual instant, at most one row of each order; empty: nothing more."""
        return self._due(instant) or self._crossed(instant)

    def _due(self, instant: float) -> list[Row]:
        rows = []
        for order, at, what in self._desk.agenda.take(instant):
            row = self._decide(order, what, max(at, self._since))
            if row is None:
                order.due.match = None
                self._desk.agenda.wait(order)
            else:
                rows.append(row)
        return rows

    def _crossed(self, instant: float) -> list[Row]:
        step = int(instant // STEP_SECONDS)
        if step <= self._looked_at:
            return []
        self._looked_at = step
        attempts = (self._attempt(order, instant) for order in self._desk.agenda.waiting())
        return [row for row in attempts if row is not None]

    def _decide(self, order: Order, what: str, at: float) -> Row | None:
        if what == "match":
            return self._attempt(order, at)
        if what == "ack":
            return _row("new" if order.doomed is None else "rejected", order, at)
        return _row(ENDS[what], order, at)

    def _attempt(self, order: Order, at: float) -> Row | None:
        """Return the order's trade, its end when it had to trade at once, or None: it waits."""
        found = self._trade(order, at)
        if found is None and order.terms.time_in_force in AT_ONCE and order.status not in PAUSED:
            return _row("canceled", order, at)
        return found

    def _trade(self, order: Order, at: float) -> Row | None:
        desk, symbol = self._desk, order.asset.symbol
        execution, laid = desk.execution(order), desk.tape.overlay(symbol)
        if execution.hold or laid.halted or laid.quoteless or order.status in PAUSED:
            return None
        if not (desk.market.is_open or order.asset.is_crypto):
            return None
        if order.terms.time_in_force == "ioc" and order.fills:
            return None
        quote = desk.tape.quote(symbol, at)
        if order.terms.stop is not None and not order.triggered:
            return _row("trigger", order, at) if _triggers(order, quote) else None
        price = quote.ask if order.is_buy else quote.bid
        qty = _quantity(order, price, execution.parts) if _is_marketable(order, price) else ZERO
        if order.intent.endswith("to_close"):
            # What a notional order comes to is known only now, and must not turn the position round.
            qty = min(qty, abs(desk.account(order.key).qty(symbol)))
        return _row("fill", order, at, text(qty), text(price)) if qty else None


def _triggers(order: Order, quote: Quote) -> bool:
    stop = order.terms.stop
    return stop is not None and (quote.last >= stop if order.is_buy else quote.last <= stop)


def _is_marketable(order: Order, price: Decimal) -> bool:
    limit = order.terms.limit
    return limit is None or (price <= limit if order.is_buy else price >= limit)


def _quantity(order: Order, price: Decimal, parts: int) -> Decimal:
    """Return how much trades now: all, or one part; the parts of a whole number of shares are whole."""
    terms = order.terms
    if terms.qty is None:
        return ((terms.notional or ZERO) / price).quantize(NINE_PLACES, ROUND_DOWN)
    if parts > 1 and terms.time_in_force == "fok":
        return ZERO
    whole = terms.qty == terms.qty.to_integral_value()
    part = (terms.qty / parts).quantize(Decimal(1) if whole else NINE_PLACES, ROUND_DOWN)
    is_last = order.fills + 1 >= parts or part <= 0
    return order.leaves if is_last else min(part, order.leaves)


def _row(kind: str, order: Order, at: float, *rest: str) -> Row:
    return [kind, order.key, order.id, at, *rest]
