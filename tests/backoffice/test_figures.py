"""How money, quantities, prices and times look: each in its own places, the whole on hover, nothing made nothing."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.backoffice.board.charts import Series, chart
from apps.core import clock
from apps.core.admin import average, due, duration, moment, money, price, quantity
from apps.orders.admin.display import lag

pytestmark = pytest.mark.no_database


@pytest.mark.parametrize(
    ("amount", "currency", "text", "whole"),
    [
        ("-0.289411000230680508", "USD", "−0.29", "-0.289411000230680508"),
        ("1811.1358", "USD", "1,811.14", "1811.1358"),
        ("10698.25", "USD", "10,698.25", ""),
        ("3", "EUR", "3.00", ""),
        ("1234567.5", "JPY", "1,234,568", "1234567.5"),
        ("12.3456", "BHD", "12.346", "12.3456"),
        ("0", "USD", "0.00", ""),
        ("-0.00", "USD", "0.00", ""),
        ("0.0025", "USD", "0.0025", ""),
        ("-0.0001234", "USD", "−0.00012", "-0.0001234"),
    ],
)
def test_money_is_in_its_currencys_places(amount: str, currency: str, text: str, whole: str):
    hover = f' title="{whole}"' if whole else ""
    shown = f'<span class="fo-money fo-money-plain"{hover}>{text}<span class="fo-ccy">{currency}</span></span>'
    assert money(Decimal(amount), currency) == shown


@pytest.mark.parametrize(
    ("amount", "tone", "text"), [("1.5", "in", "+1.50"), ("-1.5", "out", "−1.50"), ("0", "plain", "0.00")]
)
def test_only_money_that_moves_has_a_direction(amount: str, tone: str, text: str):
    assert money(Decimal(amount), "USD", signed=True).startswith(f'<span class="fo-money fo-money-{tone}">{text}<')


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (quantity, "2000.000000000000000000", "2,000"),
        (quantity, "0.333000000", "0.333"),
        (quantity, "-10", "−10"),
        (price, "190", "190.00"),
        (price, "0.12345", "0.12345"),
        (average, "427.856798", "427.86"),
        (average, "0.12345678", "0.1235"),
        (average, "0", "0.0000"),
    ],
)
def test_quantities_have_no_trailing_zeros_and_prices_their_places(show: Any, value: str, text: str):
    assert f">{text}</span>" in show(Decimal(value))


@pytest.mark.parametrize(
    ("show", "ahead", "text"),
    [
        (moment, timedelta(minutes=-5), "5 min ago"),
        (due, timedelta(minutes=-5), "due for 5 min"),
        (due, timedelta(minutes=5, seconds=1), "in 5 min"),
        (due, timedelta(), "now"),
    ],
)
def test_what_is_to_happen_is_due_and_not_past(show: Any, ahead: timedelta, text: str):
    assert f">{text}</time>" in show(clock.now() + ahead)


def test_clocks_may_make_a_duration_negative():
    assert duration(timedelta(milliseconds=-30)) == "−30 ms"
    assert lag(clock.now(), clock.now() - timedelta(seconds=5)).endswith("ahead")


@pytest.mark.parametrize(
    ("count", "text"),
    [(7, "7"), (999, "999"), (2_420, "2.4k"), (18_211, "18k"), (999_999, "999k"), (1_500_000, "1.5M")],
)
def test_an_axis_has_room_for_its_figure(count: int, text: str):
    hour = (clock.now(), {"filled": count})
    assert chart("Orders", [Series("filled", "filled", "ok")], [hour], empty="").peak == text
