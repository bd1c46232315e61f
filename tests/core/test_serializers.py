"""Input is taken as JSON says it: nothing is guessed where a switch or a limit is set."""

from decimal import Decimal
from typing import Any

import pytest
from rest_framework import serializers

from apps.core.api.serializers import DecimalText, StrictSerializer

pytestmark = pytest.mark.no_database


class Switch(StrictSerializer):
    engaged = serializers.BooleanField()
    seconds = serializers.IntegerField(required=False, allow_null=True, max_value=100)
    limit = DecimalText(required=False)
    account_id = serializers.UUIDField(required=False)


def errors_of(**body: Any) -> dict[str, list[str]]:
    serializer = Switch(data=body)
    serializer.is_valid()
    return {name: [error.code for error in errors] for name, errors in serializer.errors.items()}


@pytest.mark.parametrize("value", ["yes", "true", "false", "on", "", 1, 0, Decimal("1.0"), [True], {}])
def test_a_boolean_is_true_or_false(value: Any) -> None:
    assert errors_of(engaged=value) == {"engaged": ["invalid"]}


@pytest.mark.parametrize("value", ["5", "1E2", "", True, Decimal("1E+2"), Decimal("5.0"), [5]])
def test_an_integer_is_a_number_without_a_fraction(value: Any) -> None:
    assert errors_of(engaged=True, seconds=value) == {"seconds": ["invalid"]}


@pytest.mark.parametrize("value", [True, 7, Decimal(7), ["01900000-0000-7000-8000-000000000000"], "7", ""])
def test_an_id_is_a_uuid_as_text(value: Any) -> None:
    assert errors_of(engaged=True, account_id=value) == {"account_id": ["invalid"]}


@pytest.mark.parametrize("value", ["1E2", "1e2", "0.5e-1", "NaN", "Infinity", True, "yes"])
def test_a_decimal_has_no_exponent(value: Any) -> None:
    assert errors_of(engaged=True, limit=value) == {"limit": ["invalid"]}


def test_what_is_said_as_it_should_be_is_taken() -> None:
    serializer = Switch(data={"engaged": False, "seconds": 5, "limit": "100.50"})
    assert serializer.is_valid()
    assert serializer.validated_data == {"engaged": False, "seconds": 5, "limit": Decimal("100.50")}
    assert errors_of(engaged=True, seconds=None) == {}
    assert errors_of(engaged=None, seconds=101) == {"engaged": ["null"], "seconds": ["max_value"]}
    assert errors_of() == {"engaged": ["required"]}
