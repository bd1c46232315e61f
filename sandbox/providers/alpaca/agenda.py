"""Remember which orders something is due for, and which wait for the market to come to them."""

import heapq
from collections.abc import Iterator
from itertools import count

from sandbox.providers.alpaca.orders import Order


class Agenda:
    """Hold open orders by what comes next for them. Entries that have become stale are dropped when met."""

    def __init__(self) -> None:
        self._calendar: list[tuple[float, int, Order]] = []
        self._ticket = count()
        self._waiting: dict[str, Order] = {}

    def plan(self, order: Order) -> None:
        """Note the next thing that is due for an order."""
        first = order.due.first() if order.is_open else None
        if first is not None:
            heapq.heappush(self._calendar, (first[0], next(self._ticket), order))

    def wait(self, order: Order) -> None:
        """Let an order wait for a price, and plan what else is due for it."""
        self._waiting[order.id] = order
        self.plan(order)

    def take(self, instant: float) -> Iterator[tuple[Order, float, str]]:
        """Yield, once each, the orders for which something is due by a virtual instant."""
        taken: set[str] = set()
        again: list[Order] = []
        while self._calendar and self._calendar[0][0] <= instant:
            _, _, order = heapq.heappop(self._calendar)
            first = order.due.first() if order.is_open else None
            if first is None or first[0] > instant:
                continue
            if order.id in taken:
                again.append(order)
                continue
            taken.add(order.id)
            yield order, *first
        for order in again:
            self.plan(order)

    def waiting(self) -> Iterator[Order]:
        """Yield the orders that wait for a price."""
        for order in list(self._waiting.values()):
            if order.is_open and order.due.match is None:
                yield order
            else:
                del self._waiting[order.id]

    @property
    def has_waiting(self) -> bool:
        """Tell whether any order waits for a price."""
        return bool(self._waiting)

    @property
    def next_due(self) -> float | None:
        """Return the virtual instant of the next entry."""
        return self._calendar[0][0] if self._calendar else None
