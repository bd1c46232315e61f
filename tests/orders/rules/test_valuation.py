"""What an order may cost and lead to, at worst: exact figures."""

from itertools import product as pairs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.orders.enums import OrderType, Side
from apps.orders.rules.units import ONE, plain
from apps.orders.rules.valuation import Standing, assess, opening_quantity, worst_exposure, worst_price
from tests.orders.rules.case import proposal, snapshot, units

pytestmark = pytest.mark.no_database

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP, STOP_LIMIT = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT


@pytest.mark.parametrize(
    ("order", "price"),
    [
        (proposal(side=BUY, type=MARKET), "104"),
        (proposal(side=BUY, type=LIMIT, limit="98.5"), "98.5"),
        (proposal(side=BUY, type=LIMIT, limit="250"), "250"),
        (proposal(side=BUY, type=STOP, stop="110"), "114.4"),
        (proposal(side=BUY, type=STOP, stop="90"), "104"),
        (proposal(side=BUY, type=STOP_LIMIT, stop="110", limit="111"), "111"),
        (proposal(side=SELL, type=MARKET), "103"),
        (proposal(side=SELL, type=LIMIT, limit="98"), "103"),
        (proposal(side=SELL, type=LIMIT, limit="120"), "120"),
        (proposal(side=SELL, type=STOP, stop="95"), "103"),
        (proposal(side=SELL, type=STOP_LIMIT, stop="95", limit="94"), "103"),
        # A limit order without its limit must not be free.
        (proposal(side=BUY, type=LIMIT, limit=None), "104"),
    ],
)
def test_the_price_at_which_an_order_is_valued(order, price: str):
    assert plain(worst_price(order, units(100))) == price


def test_percentages_are_rounded_up():
    assert worst_price(proposal(type=MARKET), 1) == 2


@pytest.mark.parametrize(
    ("side", "quantity", "position", "buys", "sells", "opening"),
    [
        (BUY, 10, 0, 0, 0, 10),
        (BUY, 10, 5, 0, 0, 10),
        (BUY, 10, -10, 0, 0, 0),
        (BUY, 10, -4, 0, 0, 6),
        (BUY, 10, -10, 3, 0, 3),
        (BUY, 10, -10, 30, 0, 10),
        (SELL, 10, 10, 0, 0, 0),
        (SELL, 10, 10, 0, 1, 1),
        (SELL, 10, 0, 0, 0, 10),
        (SELL, 10, -5, 0, 0, 10),
        (SELL, 10, 25, 0, 15, 0),
        # Open orders of the other side may not be executed: they do not help.
        (SELL, 10, 0, 100, 0, 10),
        (BUY, 10, 0, 0, 100, 10),
    ],
)
def test_how_much_of_an_order_opens(side: Side, quantity: int, position: int, buys: int, sells: int, opening: int):
    found = opening_quantity(proposal(quantity, side), Standing(units(position), units(buys), units(sells)))
    assert found == units(opening)


@pytest.mark.parametrize(
    ("old", "new", "position", "sells", "opening"),
    [(10, 10, 10, 10, 0), (10, 12, 10, 10, 2), (10, 4, 10, 10, 0), (10, 4, 0, 10, 10), (4, 10, 10, 6, 2)],
)
def test_of_an_order_and_the_one_it_replaces_one_or_the_other_is_executed(old, new, position, sells, opening):
    order = proposal(new, SELL, replaced_remaining=units(old))
    found = opening_quantity(order, Standing(units(position), 0, units(sells)))
    assert found == units(opening)


@pytest.mark.parametrize(
    ("order", "position", "buys", "sells", "exposure"),
    [
        (proposal(10, limit=90), 0, 0, 0, "900"),
        (proposal(10, limit=90), 20, 0, 0, "2900"),  # what is held counts at the ask
        (proposal(10, limit=90), 20, 30, 0, "5900"),  # what is open counts as executed
        (proposal(10, limit=90), 20, 30, 15, "5900"),  # and never in both directions at once
        (proposal(10, limit=90), 0, 0, 40, "4000"),  # the worse direction counts
        (proposal(10, limit=90), -4, 0, 0, "540"),  # the short is closed first
        (proposal(10, SELL), 0, 0, 0, "1030"),
        (proposal(10, SELL), -20, 0, 0, "3030"),
        (proposal(10, SELL), -20, 0, 5, "3530"),
        (proposal(10, SELL), 6, 0, 0, "600"),  # long 6 at the ask, against short 4
        (proposal(12, limit=90, replaced_remaining=units(10)), 0, 10, 0, "1080"),
        (proposal(4, limit=90, replaced_remaining=units(10)), 0, 10, 0, "900"),
    ],
)
def test_the_position_that_may_come_of_it(order, position: int, buys: int, sells: int, exposure: str):
    found = worst_exposure(order, Standing(units(position), units(buys), units(sells)), ask=units(100))
    assert plain(found) == exposure


@pytest.mark.parametrize(
    ("order", "standing", "exposure"),
    [
        (proposal(10, limit=90), Standing(0, 5 * ONE, open_buys_above=100 * ONE), "1500"),  # a stop to buy 5 at 120
        (proposal(10, SELL), Standing(0, 0, 5 * ONE, 0, 250 * ONE), "1780"),  # a limit to sell 5 short at 150
        (proposal(10, SELL), Standing(0, 5 * ONE, 0, 100 * ONE), "1030"),  # long 5 at 120 is less
        (proposal(2, limit=90), Standing(-20 * ONE, 5 * ONE, 0, 100 * ONE), "2000"),  # a stop that closes a short
    ],
)
def test_an_open_order_counts_at_its_own_price_if_that_is_higher(order, standing: Standing, exposure: str):
    assert plain(worst_exposure(order, standing, ask=units(100))) == exposure


QUANTITIES = st.integers(0, 1000)


@given(
    st.sampled_from(Side), st.integers(1, 1000), st.integers(-1000, 1000), QUANTITIES, QUANTITIES, st.integers(1, 500)
)
def test_no_order_of_executions_leads_to_more_than_the_worst(side, quantity, position, buys, sells, limit):
    """Every mix of open orders and this one, executed or not, at the ask or at its own price."""
    order = proposal(quantity, side, limit=limit)
    worst = assess(snapshot(position=units(position), open_buys=units(buys), open_sells=units(sells)), order)
    assert worst.exposure is not None and worst.opening is not None
    for bought, sold, mine in pairs((0, buys // 2, buys), (0, sells // 2, sells), (0, quantity // 2, quantity)):
        after = position + bought - sold + (mine if side is BUY else -mine)
        cheapest = min(100, worst_price(order, units(100)) // 10**9)
        assert units(abs(after)) * cheapest <= worst.exposure
    if worst.only_reduces:
        for bought, sold in pairs((0, buys), (0, sells)):
            before = position + (bought if side is BUY else -sold)
            after = before + (quantity if side is BUY else -quantity)
            assert abs(after) < abs(before) and before * after >= 0
