"""Whatever is asked for in whatever order, the books balance, and the journal makes them again."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.providers.alpaca import Alpaca
from sandbox.providers.alpaca.accounts import Account
from sandbox.providers.alpaca.assets import ASSETS
from sandbox.providers.alpaca.drafts import check_terms
from sandbox.providers.alpaca.orders import Terms
from sandbox.providers.alpaca.orders_api import OrdersApi
from sandbox.providers.base import Refused
from sandbox.world import World

pytestmark = pytest.mark.no_database

KEY = "PK" + "0" * 18
OPENING = Decimal(1_000_000)
waits = st.sampled_from([0.3, 0.05, 0.0, 1.0])
prices = st.sampled_from(["90.00", "99.00", "100.00", "101.00", "110.00"])
quantities = st.sampled_from(["1", "3", "10", "2.5", "4000"])
place = st.fixed_dictionaries(
    {
        "op": st.just("place"),
        "wait": waits,
        "side": st.sampled_from(["buy", "sell"]),
        "type": st.sampled_from(["market", "limit", "stop", "stop_limit"]),
        "tif": st.sampled_from(["day", "day", "gtc", "ioc", "fok"]),
        "qty": quantities,
        "limit": prices,
        "stop": prices,
        "notional": st.sampled_from([None, None, None, "250.00"]),
    }
)
other = st.one_of(
    st.fixed_dictionaries({"op": st.just("price"), "wait": waits, "bid": prices}),
    st.fixed_dictionaries(
        {"op": st.just("advance"), "wait": waits, "seconds": st.sampled_from([0.05, 0.1, 0.3, 1.0, 5.0, 90_000.0])}
    ),
    st.fixed_dictionaries({"op": st.just("cancel"), "wait": waits, "which": st.integers(0, 20)}),
    st.fixed_dictionaries(
        {"op": st.just("replace"), "wait": waits, "which": st.integers(0, 20), "qty": quantities, "limit": prices}
    ),
    st.fixed_dictionaries({"op": st.just("parts"), "wait": waits, "parts": st.integers(1, 4)}),
    st.fixed_dictionaries({"op": st.just("market"), "wait": waits, "open": st.booleans()}),
)


class Venue:
    """The twin without its server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open()
        self.world.commit("", "clock", {"running": False})

    def open(self) -> None:
        providers = {Alpaca.name: Alpaca}
        self.world = World(self.folder, seed=7, requires_client_certificate=False, providers=providers)
        twin = self.world.providers["alpaca"]
        assert isinstance(twin, Alpaca)
        self.twin, self.orders = twin, OrdersApi(twin)
        self.twin.settle()

    def restart(self) -> None:
        self.world.close()
        self.open()

    @property
    def account(self) -> Account:
        return self.twin.desk.account(KEY)

    def do(self, step: dict[str, Any]) -> None:
        self.twin.settle()
        op = step["op"]
        if op == "place":
            self._place(step)
        elif op == "advance":
            self.world.commit("", "advance", {"seconds": step["seconds"]})
        elif op == "price":
            ask = str(Decimal(step["bid"]) + Decimal("0.10"))
            self.twin.commit("quote", {"symbols": ["AAPL"], "changes": {"bid": step["bid"], "ask": ask}})
        elif op == "parts":
            changes = {"parts": step["parts"]}
            self.twin.commit("execution", {"key": None, "symbol": None, "changes": changes})
        elif op == "market":
            self.twin.commit("market", {"open": step["open"], "skew": 0})
        elif self.account.open:
            self._change(step)
        self.world.commit("", "advance", {"seconds": step["wait"]})
        self.twin.settle()

    def _place(self, step: dict[str, Any]) -> None:
        has_limit, has_stop = "limit" in step["type"], "stop" in step["type"]
        notional = step["notional"] if (step["type"], step["tif"]) == ("market", "day") else None
        terms = Terms(
            symbol="AAPL",
            side=step["side"],
            type=step["type"],
            time_in_force=step["tif"],
            qty=None if notional else Decimal(step["qty"]),
            notional=Decimal(notional) if notional else None,
            limit=Decimal(step["limit"]) if has_limit else None,
            stop=Decimal(step["stop"]) if has_stop else None,
            extended_hours=False,
        )
        with suppress(Refused):
            check_terms(terms, ASSETS["AAPL"])
            self.orders.enter(self.account, terms, ASSETS["AAPL"], None)

    def _change(self, step: dict[str, Any]) -> None:
        orders = list(self.account.open.values())
        order = orders[step["which"] % len(orders)]
        with suppress(Refused):
            if step["op"] == "cancel":
                self.orders.begin_cancel(order)
            else:
                self.orders.begin_replace(order, {"qty": step["qty"], "limit_price": step["limit"]})

    def shown(self) -> dict[str, Any]:
        account = self.account
        return {
            "orders": [order.as_json() for order in account.orders],
            "activities": [activity.shown for activity in account.activities],
            "positions": [(symbol, position.qty, position.cost) for symbol, position in account.positions.items()],
            "money": (account.cash, account.reserved, account.held),
        }


@contextmanager
def new_venue() -> Iterator[Venue]:
    with tempfile.TemporaryDirectory() as folder:
        venue = Venue(Path(folder))
        try:
            venue.do({"op": "price", "bid": "100.00", "wait": 0})
            yield venue
        finally:
            venue.world.close()


def assert_balanced(account: Account) -> None:
    """Check that cash, positions, orders and what is tied up agree with the fills."""
    fills = [activity.shown for activity in account.activities if activity.kind == "FILL"]
    signed = [(Decimal(row["qty"]) * (1 if row["side"] == "buy" else -1), Decimal(row["price"])) for row in fills]
    assert account.qty("AAPL") == sum((qty for qty, _ in signed), Decimal(0))
    assert account.cash == OPENING - sum((qty * price for qty, price in signed), Decimal(0))
    assert len({row["id"] for row in fills}) == len(fills)
    for order in account.orders:
        mine = [row for row in fills if row["order_id"] == order.id]
        assert order.filled_qty == sum((Decimal(row["qty"]) for row in mine), Decimal(0))
        assert order.terms.qty is None or order.filled_qty <= order.terms.qty
        assert order.is_open == (order.id in account.open)
        assert order.reserved >= 0
        assert order.held >= 0
        if not order.is_open:
            assert order.reserved == order.held == 0
        if order.status == "filled":
            assert order.terms.qty in (None, order.filled_qty)
    assert account.reserved == sum((order.reserved for order in account.open.values()), Decimal(0))
    held = sum((order.held for order in account.open.values()), Decimal(0))
    assert account.held.get("AAPL", Decimal(0)) == held <= abs(account.qty("AAPL"))


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.one_of(place, other), min_size=5, max_size=30))
def test_the_books_balance_after_every_step_and_again_after_a_restart(steps: list[dict[str, Any]]) -> None:
    with new_venue() as venue:
        for step in steps:
            venue.do(step)
            assert_balanced(venue.account)
        before = venue.shown()
        venue.restart()
        assert venue.shown() == before
