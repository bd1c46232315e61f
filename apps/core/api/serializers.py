"""Serializer building blocks shared by every room."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.core.api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from apps.core.money import plain


class DecimalText(serializers.DecimalField):
    """A decimal as a string in plain notation: no exponent, no trailing zeros."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=38, decimal_places=18, **kwargs)

    def to_representation(self, value: Decimal) -> str:
        return plain(value)


class StrictSerializer(serializers.Serializer[Any]):
    """Input that refuses fields which it does not know, each by name."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields))
        if unknown:
            message = _("This field is not known here.")
            raise serializers.ValidationError(
                {name: [serializers.ErrorDetail(message, "unknown_field")] for name in unknown}
            )
        return super().to_internal_value(data)


class NoQuery(serializers.Serializer[Any]):
    """An endpoint without query parameters."""


class PageQuery(serializers.Serializer[Any]):
    """The query parameters of every list."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = serializers.CharField(required=False)
