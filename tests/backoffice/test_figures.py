"""How money, quantities, prices and times look: each in its own places, the whole on hover, nothing made nothing."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import BooleanField, DecimalField, Field, IntegerField

from apps.backoffice.board.charts import Series, chart
from apps.core import clock
from apps.core.admin import NOTHING, average, due, duration, exact, moment, money, price, quantity, sentence
from apps.core.admin.values import of_field
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "The position could reach 448750.4; the limit is 100000.",
            "The position could reach 448,750.4; the limit is 100,000.",
        ),
        ("a share of 0.4487504 of the equity of 1000000", "a share of 0.4487504 of the equity of 1,000,000"),
        # Names, times, addresses and short numbers are left as they are.
        (
            "PA349F39502C, 2026-11-22 21:31, 127.0.0.1:48123, order-12345, 2 of 1234",
            "PA349F39502C, 2026-11-22 21:31, 127.0.0.1:48123, order-12345, 2 of 1234",
        ),
    ],
)
def test_a_sentence_has_the_thousands_of_its_figures_separated(text: str, shown: str) -> None:
    assert sentence(text) == shown


@pytest.mark.parametrize(
    ("value", "field", "shown"),
    [
        (1228, IntegerField(), "1,228"),
        (2, IntegerField(choices=[(2, "Second")]), "Second"),
        (True, BooleanField(), "yes"),
        (False, BooleanField(), "no"),
        (Decimal("17.000000000000000000"), DecimalField(), '<span class="fo-figure">17</span>'),
        (None, IntegerField(), NOTHING),
    ],
)
def test_a_field_is_shown_in_figures_and_words(value: Any, field: "Field[Any, Any]", shown: str) -> None:
    assert of_field(value, field) == shown


def test_an_exact_time_says_its_zone() -> None:
    at = datetime(2026, 11, 22, 23, 31, 54, 360_000, tzinfo=timezone(timedelta(hours=2)))
    assert '>2026-11-22 21:31:54<span class="fo-ms">.360</span> UTC <small>' in exact(at)
