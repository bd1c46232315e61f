import decimal
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.money import plain

pytestmark = pytest.mark.no_database


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.50E+3", "1500"),
        ("12.300000000000000000", "12.3"),
        ("-0.00", "0"),
        ("0E-18", "0"),
        ("1E-18", "0.000000000000000001"),
        ("-100", "-100"),
        ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
    ],
)
def test_plain_notation_has_no_exponent_and_no_trailing_zeros(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19))
def test_plain_notation_keeps_the_value(value: Decimal) -> None:
    assert Decimal(plain(value)) == value


def test_floats_are_refused_in_every_thread() -> None:
    refused = []

    def compute() -> None:
        try:
            Decimal(0.1)  # noqa: RUF032  (the point of the test)
        except decimal.FloatOperation:
            refused.append(decimal.getcontext().prec)

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    compute()
    assert refused == [78, 78]
