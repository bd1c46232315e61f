"""Serializer building blocks shared by every room."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from apps.core.money import plain


@extend_schema_field({"type": "string", "format": "decimal", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"})
class DecimalText(serializers.DecimalField):
    """A decimal as a string in plain notation: no exponent, and in answers no trailing zeros."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=38, decimal_places=18, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, str) and "e" in data.lower():
            self.fail("invalid")
        return super().to_internal_value(data)

    def to_representation(self, value: Decimal) -> str:
        return plain(value)


class WholeNumberText(serializers.IntegerField):
    """A whole number in a query: ASCII digits alone, where int() takes those of every script, "+1" and "1_0"."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"-?[0-9]+", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class TimeText(serializers.DateTimeField):
    """A point in time: a day alone is none, it begins and ends elsewhere at another. Without an offset it is UTC."""

    default_error_messages = {"invalid": gettext_lazy("A time such as 2026-01-31T12:00:00Z is expected.")}

    def to_internal_value(self, value: Any) -> datetime:
        if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}", str(value)):
            self.fail("invalid")
        return super().to_internal_value(value)


class DayText(serializers.DateField):
    """A day, in ASCII digits."""

    default_error_messages = {"invalid": gettext_lazy("A day such as 2026-01-31 is expected.")}

    def to_internal_value(self, value: Any) -> date:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value)):
            self.fail("invalid")
        return super().to_internal_value(value)


class StrictSerializer(serializers.Serializer[Any]):
    """Input that refuses fields which it does not know, each by name, and what is of another JSON type than they are.

    The framework's own fields take "yes", 1 and "3600" for a switch or a limit, and 7 for a text or an id: guesses.
    """

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields))
        if unknown:
            message = _("This field is not known here.")
            raise serializers.ValidationError(
                {name: [serializers.ErrorDetail(message, "unknown_field")] for name in unknown}
            )
        self._require_json_types(data)
        return super().to_internal_value(data)

    def _require_json_types(self, data: Any) -> None:
        guessed = {}
        for name, field in self.fields.items():
            value = data.get(name)
            if value is None:
                continue  # null and what is left out are the field's own matter
            if isinstance(field, serializers.BooleanField) and not isinstance(value, bool):
                guessed[name] = [serializers.ErrorDetail(_("true or false is expected, without quotes."), "invalid")]
            elif isinstance(field, serializers.IntegerField) and type(value) is not int:
                guessed[name] = [serializers.ErrorDetail(_("A whole number is expected, without quotes."), "invalid")]
            elif isinstance(field, serializers.CharField | serializers.UUIDField) and not isinstance(value, str):
                guessed[name] = [serializers.ErrorDetail(_("A string is expected."), "invalid")]
        if guessed:
            raise serializers.ValidationError(guessed)


@extend_schema_field({"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "minLength": 1})
class CursorText(serializers.CharField):
    """What a list has given as `next_cursor`."""


class NoBody(StrictSerializer):
    """The body of an operation that takes none: nothing, or an object without fields."""


class NoQuery(serializers.Serializer[Any]):
    """An endpoint without query parameters."""


class PageQuery(serializers.Serializer[Any]):
    """The query parameters of every list."""

    limit = WholeNumberText(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = CursorText(required=False)
