"""Whatever happens at the venue, and however its messages come, or do not: in the end both sides agree."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core import clock
from apps.core.scope import write_scope
from apps.orders.enums import OrderStatus
from apps.orders.models import Order
from apps.orders.rules.states import BEFORE_VENUE, TERMINAL_STATES
from apps.orders.services.locking import lock_order
from apps.orders.services.recognition import request_of
from apps.orders.services.transitions import transition
from apps.orders.services.updates import take_venue_order
from apps.providers.trading import TradeUpdate, VenueOrder
from tests.factories.tenants import make_tenant
from tests.memory import forget_all
from tests.orders.broker import NAME, Broker
from tests.orders.floor import Floor, number, open_floor

ORDERS = st.lists(
    st.tuples(st.sampled_from(["submitting", "unknown", "accepted"]), st.sampled_from(["buy", "sell"])),
    min_size=1,
    max_size=2,
)
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("execute"), st.integers(0, 1), st.integers(1, 6), st.integers(90, 110)),
        st.tuples(
            st.just("end"), st.integers(0, 1), st.sampled_from(["canceled", "expired", "rejected", "done_for_day"])
        ),
        st.tuples(st.just("hold"), st.integers(0, 1), st.sampled_from(["held", "accepted"])),
        st.tuples(st.just("hear"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("lose"), st.integers(0, 9)),
        st.tuples(st.just("pull")),
    ),
    max_size=14,
)


@dataclass
class Play:
    """One account's day: the venue's side, ours, and the messages between them."""

    floor: Floor
    broker: Broker
    orders: list[Order] = field(default_factory=list)
    messages: list[TradeUpdate] = field(default_factory=list)

    def begin(self, states: list[tuple[str, str]]) -> None:
        for status, side in states:
            order = self.floor.make_order(job=False, status="approved", side=side)
            shown = self.broker.place(request_of(order))
            self.bring_to(order, status, shown.venue_order_id)
            self.orders.append(order)
            self.messages.append(self.broker.update("new", shown))

    def bring_to(self, order: Order, status: str, venue_order_id: str) -> None:
        """Bring an order to where the test begins, by its own edges."""
        with write_scope(self.floor.actor):
            locked = lock_order(order.id)
            transition(locked, OrderStatus.SUBMITTING, actor=self.floor.actor, now=clock.now())
            if status != "submitting":
                columns: dict[str, Any] = {"venue_order_id": venue_order_id} if status == "accepted" else {}
                data = {"reason": "No answer."} if status == "unknown" else None
                transition(locked, OrderStatus(status), actor=self.floor.actor, now=clock.now(), data=data, **columns)

    def act(self, what: str, *values) -> None:
        getattr(self, what)(*values)

    def key(self, which: int) -> str:
        return sorted(self.broker.orders)[which % len(self.broker.orders)]

    def execute(self, which: int, quantity: int, price: int) -> None:
        """Execute a part; after the order's end it leaves its state, and something of the order unexecuted."""
        shown = self.broker.orders[self.key(which)]
        assert shown.quantity is not None
        has_ended = shown.status in TERMINAL_STATES
        quantity = min(quantity, int(shown.quantity - shown.filled_quantity) - has_ended)
        if quantity > 0:
            side = next(order.side for order in self.orders if order.client_order_id == shown.client_order_id)
            values = {"status": shown.status} if has_ended else {}
            fill = self.broker.execute(shown, str(quantity), str(price), side=side, **values)
            self.messages.append(self.broker.update("fill", shown.venue_order_id, fill))

    def end(self, which: int, status: str) -> None:
        shown = self.broker.orders[self.key(which)]
        if shown.status not in TERMINAL_STATES:
            self.messages.append(self.broker.update(status, self.broker.change(shown, status=status)))

    def hold(self, which: int, status: str) -> None:
        shown = self.broker.orders[self.key(which)]
        if shown.status in ("accepted", "held"):
            self.messages.append(self.broker.update(status, self.broker.change(shown, status=status)))

    def hear(self, which: int, again: bool) -> None:
        """Let some message arrive, and maybe come again later."""
        if self.messages:
            index = which % len(self.messages)
            self.floor.hear(self.messages[index] if again else self.messages.pop(index))

    def lose(self, which: int) -> None:
        if self.messages:
            self.messages.pop(which % len(self.messages))

    def pull(self) -> None:
        forget_all()
        self.floor.pull()

    def look_up(self) -> None:
        """Do what the jobs of orders do whose outcome is not known."""
        for order in self.orders:
            with write_scope(self.floor.actor):
                locked = lock_order(order.id)
                if locked.status in BEFORE_VENUE:
                    take_venue_order(locked, self.shown(order), actor=self.floor.actor, now=clock.now())

    def shown(self, order: Order) -> VenueOrder:
        """Return an order as the venue has it."""
        return next(row for row in self.broker.orders.values() if row.client_order_id == order.client_order_id)

    def check(self) -> None:
        """Assert that both sides agree, to the last execution."""
        for order in self.orders:
            shown = self.shown(order)
            stored = self.floor.read(order)
            assert (stored.status, number(stored.filled_quantity)) == (shown.status, number(shown.filled_quantity))
            happened = self.floor.events(order)
            ends = [name for name in happened if name in TERMINAL_STATES]
            assert len(ends) == (stored.status in TERMINAL_STATES)
        ours = sorted((fill.venue_execution_id, number(fill.quantity)) for fill in self.floor.fills())
        assert ours == sorted((fill.execution_id, number(fill.quantity)) for fill in self.broker.executions)
        held = Decimal(0) if self.floor.is_flat() else self.floor.position().quantity
        assert held == sum((row.quantity for row in self.broker.holdings()), Decimal(0))


def prove(broker: Broker, *, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(orders=ORDERS, happenings=HAPPENINGS)
    def all_agrees_in_the_end(orders, happenings):
        vars(broker).update(vars(Broker()))
        name = uuid4().hex[:12]
        play = Play(open_floor(make_tenant(f"play-{name}"), provider=NAME, key=f"XNAS:{name}"), broker)
        play.begin(orders)
        for happening in happenings:
            play.act(*happening)

        play.pull()
        play.look_up()
        play.pull()

        play.check()

    all_agrees_in_the_end()


def test_all_agrees_in_the_end(broker: Broker):
    prove(broker, examples=12)


@pytest.mark.prove
def test_all_agrees_in_the_end_for_long(broker: Broker):
    prove(broker, examples=400)
