"""Parameters of an order: one error per field, in words that help."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from apps.orders.enums import OrderType, TimeInForce
from apps.orders.rules.parameters import ListingRules, Parameters, parameter_errors

pytestmark = pytest.mark.no_database

SHARE = ListingRules(asset_class="equity", quantity_increment=Decimal(1))
FRACTIONS = ListingRules(asset_class="equity", quantity_increment=Decimal("0.000000001"))
COIN = ListingRules(
    asset_class="crypto",
    minimum_quantity=Decimal("0.0001"),
    quantity_increment=Decimal("0.0001"),
    price_increment=Decimal("0.5"),
)
PRICES = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": Decimal(100)},
    OrderType.STOP: {"stop_price": Decimal(100)},
    OrderType.STOP_LIMIT: {"limit_price": Decimal(100), "stop_price": Decimal(100)},
}


def errors(listing: ListingRules = SHARE, type_: OrderType = OrderType.LIMIT, **values) -> list[tuple[str, str]]:
    """Return field and code of what is wrong."""
    good = {"type": type_, "time_in_force": TimeInForce.DAY, "quantity": Decimal(10), **PRICES[type_]}
    return [error[:2] for error in parameter_errors(Parameters(**{**good, **values}), listing)]


@pytest.mark.parametrize(("type_", "time"), list(product(OrderType, TimeInForce)))
def test_a_whole_share_goes_with_every_type_and_time(type_: OrderType, time: TimeInForce):
    assert errors(type_=type_, time_in_force=time) == []


@pytest.mark.parametrize("type_", OrderType)
def test_prices_are_there_exactly_where_the_type_has_them(type_: OrderType):
    wanted = set(PRICES[type_])
    assert errors(type_=type_, limit_price=None, stop_price=None) == [(name, "required") for name in sorted(wanted)]
    both: dict[str, Any] = {"limit_price": Decimal(100), "stop_price": Decimal(100)}
    assert errors(type_=type_, **both) == [(name, "not_allowed") for name in sorted(set(both) - wanted)]


BAD_NUMBERS = [
    ("0", "not_positive"),
    ("-1", "not_positive"),
    ("NaN", "not_positive"),
    ("Infinity", "not_positive"),
    ("1E+18", "too_large"),
    ("1E+1000000", "too_large"),
    ("1.0000000001", "too_precise"),
    ("1E-1000000", "too_precise"),
]


@pytest.mark.parametrize("time", TimeInForce)
@pytest.mark.parametrize("field", ["quantity", "limit_price"])
@pytest.mark.parametrize(("value", "code"), BAD_NUMBERS)
def test_numbers_that_no_venue_takes(field: str, value: str, code: str, time: TimeInForce):
    bad: dict[str, Any] = {field: Decimal(value)}
    assert errors(FRACTIONS, **bad, time_in_force=time) == [(field, code)]


@pytest.mark.parametrize(
    ("price", "code"), [("100.01", None), ("100.001", "off_increment"), ("0.9999", None), ("0.99999", "off_increment")]
)
def test_a_share_is_priced_in_cents_and_below_a_dollar_in_hundredths_of_them(price: str, code: str | None):
    assert errors(limit_price=Decimal(price)) == ([("limit_price", code)] if code else [])


def test_a_venues_own_increment_comes_first():
    assert errors(COIN, limit_price=Decimal("100.5"), time_in_force=TimeInForce.GTC) == []
    assert errors(COIN, limit_price=Decimal("100.25"), time_in_force=TimeInForce.GTC) == [
        ("limit_price", "off_increment")
    ]


def test_quantities():
    assert errors(quantity=Decimal("1.5")) == [("quantity", "off_increment")]
    assert errors(FRACTIONS, quantity=Decimal("1.5")) == []
    assert errors(COIN, quantity=Decimal("0.00005"), time_in_force=TimeInForce.GTC) == [("quantity", "below_minimum")]
    assert errors(COIN, quantity=Decimal("0.00015"), time_in_force=TimeInForce.GTC) == [("quantity", "off_increment")]


@pytest.mark.parametrize("time", [TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
def test_a_part_of_a_share_is_for_the_day(time: TimeInForce):
    assert errors(FRACTIONS, quantity=Decimal("1.5"), time_in_force=time) == [("time_in_force", "not_allowed")]


def test_crypto_knows_no_stop_order_and_is_good_till_canceled_or_at_once():
    for time, allowed in {"day": False, "gtc": True, "ioc": True, "fok": False}.items():
        assert errors(COIN, time_in_force=TimeInForce(time)) == ([] if allowed else [("time_in_force", "not_allowed")])
    assert errors(COIN, OrderType.STOP, time_in_force=TimeInForce.GTC) == [("type", "not_allowed")]
    assert errors(COIN, OrderType.STOP_LIMIT, time_in_force=TimeInForce.GTC) == []


def test_everything_wrong_is_told_at_once_each_field_once():
    found = errors(COIN, OrderType.STOP, quantity=Decimal(-1), limit_price=Decimal(1), stop_price=None)
    assert found == [
        ("type", "not_allowed"),
        ("quantity", "not_positive"),
        ("limit_price", "not_allowed"),
        ("stop_price", "required"),
        ("time_in_force", "not_allowed"),
    ]


def test_messages_name_the_figures():
    wrong = Parameters(
        type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, quantity=Decimal("0.00005"), limit_price=Decimal("0.25")
    )
    assert [error.message for error in parameter_errors(wrong, COIN)] == [
        "The smallest quantity is 0.0001.",
        "It must be a multiple of 0.5.",
    ]


def test_a_finer_step_of_the_venue_does_not_undo_the_cent():
    fine = ListingRules(asset_class="equity", price_increment=Decimal("0.0001"))
    assert errors(fine, limit_price=Decimal("300.001")) == [("limit_price", "off_increment")]
    assert errors(fine, limit_price=Decimal("300.01")) == []
    assert errors(fine, limit_price=Decimal("0.9999")) == []
