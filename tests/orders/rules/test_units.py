"""Integers of the rules: exact in and out, rounded against the client where they must be."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.orders.rules.units import ceil_units, floor_units, from_micros, micros, plain, product, to_decimal
from tests.orders.rules.case import units

pytestmark = pytest.mark.no_database


@pytest.mark.parametrize(
    ("value", "floor", "ceil"),
    [
        ("190.25", 190_250_000_000, 190_250_000_000),
        ("0.0000000001", 0, 1),
        ("-0.0000000001", -1, 0),
        ("-2.0000000005", -2_000_000_001, -2_000_000_000),
        ("99999999999999999999.999999999999999999", 99_999_999_999_999_999_999_999_999_999, 10**29),
    ],
)
def test_what_a_client_has_is_rounded_down_and_what_it_owes_up(value: str, floor: int, ceil: int):
    assert (floor_units(Decimal(value)), ceil_units(Decimal(value))) == (floor, ceil)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "0.000000001"), (-1, "-0.000000001"), (units("190.25"), "190.25"), (units(1500), "1500")],
)
def test_plain_notation(value: int, text: str):
    assert plain(value) == text


@given(st.integers(-(10**30), 10**30))
def test_units_come_back_exactly(value: int):
    assert floor_units(to_decimal(value)) == ceil_units(to_decimal(value)) == value
    assert Decimal(plain(value)) == to_decimal(value)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)))
def test_times_come_back_exactly(at: datetime):
    at = at.replace(tzinfo=UTC)
    assert from_micros(micros(at)) == at


@given(st.integers(0, 10**22), st.integers(0, 10**16))
def test_a_product_is_rounded_up_by_less_than_one_unit(quantity: int, price: int):
    assert 0 <= product(quantity, price) * 10**9 - quantity * price < 10**9
