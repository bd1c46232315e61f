"""The shapes of orders, their events, executions and positions."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.serializers import DecimalText, PageQuery, StrictSerializer, TimeText
from apps.orders.api.risk_serializers import CheckSerializer
from apps.orders.enums import Mode, OrderStatus, OrderType, Outcome, Pending, Side, TimeInForce
from apps.orders.events import fill_data, order_data
from apps.orders.models import Fill, Order, OrderEvent

_SIDES = [side.value for side in Side]
_TYPES = [type_.value for type_ in OrderType]
_TIMES = [time.value for time in TimeInForce]
_STATUSES = [status.value for status in OrderStatus if status is not OrderStatus.DRAFT]


class DenialSerializer(serializers.Serializer[Any]):
    """Why the risk gate denied an order, or why it was denied later, before it was sent."""

    code = serializers.CharField()
    detail = serializers.CharField()


class OrderSerializer(serializers.Serializer[Order]):
    """An order.

    `reserved` is what it may still cost or has cost, in the account's currency. `submitted_at` is when it went out,
    `accepted_at` when the venue first confirmed it, `closed_at` when nothing more could happen to it.
    """

    id = serializers.UUIDField()
    client_order_id = serializers.CharField()
    account_id = serializers.UUIDField()
    instrument = serializers.CharField()
    side = serializers.ChoiceField(_SIDES)
    type = serializers.ChoiceField(_TYPES)
    quantity = DecimalText()
    limit_price = DecimalText(allow_null=True)
    stop_price = DecimalText(allow_null=True)
    time_in_force = serializers.ChoiceField(_TIMES)
    mode = serializers.ChoiceField([mode.value for mode in Mode])
    status = serializers.ChoiceField(_STATUSES)
    pending = serializers.ChoiceField([pending.value for pending in Pending])
    filled_quantity = DecimalText()
    average_fill_price = DecimalText(allow_null=True)
    venue_order_id = serializers.CharField(allow_null=True)
    denial = DenialSerializer(allow_null=True)
    replaces = serializers.UUIDField(allow_null=True, help_text="The order that this one replaces, or was to replace")
    reserved = DecimalText()
    submitted_at = serializers.DateTimeField(allow_null=True)
    accepted_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Order) -> dict[str, Any]:
        """Return the shape that events carry, too."""
        return {**order_data(instance)}


@extend_schema_field({"type": "string", "minLength": 1, "pattern": "^[!-~]+$"})
class PrintableText(serializers.CharField):
    """ASCII without spaces."""


class NewOrderSerializer(StrictSerializer):
    """An order to place; it documents what OrderBody decodes.

    Without an `account_id` the tenant's only open brokerage account is meant. `client_order_id` is what the venue knows
    the order by; without one it is the order's id. With `dry_run` the risk gate decides, and nothing is ordered.
    """

    account_id = serializers.UUIDField(required=False, allow_null=True)
    instrument = PrintableText(max_length=64, help_text="A canonical key, such as XNAS:AAPL")
    side = serializers.ChoiceField(_SIDES)
    type = serializers.ChoiceField(_TYPES)
    quantity = DecimalText()
    limit_price = DecimalText(required=False, allow_null=True)
    stop_price = DecimalText(required=False, allow_null=True)
    time_in_force = serializers.ChoiceField(_TIMES, required=False, default=TimeInForce.DAY.value)
    client_order_id = PrintableText(required=False, allow_null=True, max_length=48)
    dry_run = serializers.BooleanField(required=False, default=False)


class ReplacementSerializer(StrictSerializer):
    """What is to be different in the order that takes this one's place; it documents what ReplacementBody decodes.

    `quantity` is what the new order may execute, whatever this one has executed; left out, it is what is left of it.
    """

    quantity = DecimalText(required=False, allow_null=True)
    limit_price = DecimalText(required=False, allow_null=True)
    stop_price = DecimalText(required=False, allow_null=True)
    time_in_force = serializers.ChoiceField(_TIMES, required=False, allow_null=True)


class DryRunSerializer(serializers.Serializer[Any]):
    """What the risk gate would decide. Nothing was ordered; `cost` is what the order would reserve."""

    outcome = serializers.ChoiceField([outcome.value for outcome in Outcome])
    denial = DenialSerializer(allow_null=True)
    checks = CheckSerializer(many=True)
    cost = DecimalText()


class OrderQuery(PageQuery):
    """Filters of the list of orders; `since` is inclusive, `until` exclusive, both of the time of creation."""

    account = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(_STATUSES, required=False)
    instrument = serializers.CharField(required=False, max_length=64)
    client_order_id = serializers.CharField(required=False, max_length=48)
    since = TimeText(required=False)
    until = TimeText(required=False)
    open = serializers.BooleanField(required=False, allow_null=True, default=None)


class OrderEventSerializer(serializers.Serializer[OrderEvent]):
    """Something that happened to an order; `data` is the order as it then was, with `fill` for an execution."""

    sequence = serializers.IntegerField()
    type = serializers.CharField()
    at = serializers.DateTimeField()
    data = serializers.JSONField()  # type: ignore[assignment]  # the stubs mean the serializer's own `data`


class FillSerializer(serializers.Serializer[Fill]):
    """An execution at the venue. `fee` > 0 is a cost; `is_late` says that it came after the order's end."""

    id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    instrument = serializers.CharField()
    venue_execution_id = serializers.CharField()
    side = serializers.ChoiceField(_SIDES)
    quantity = DecimalText()
    price = DecimalText()
    fee = DecimalText()
    realized_pnl = DecimalText()
    is_late = serializers.BooleanField()
    filled_at = serializers.DateTimeField()

    def to_representation(self, instance: Fill) -> dict[str, Any]:
        """Return the shape that events carry, too."""
        return {**fill_data(instance)}


class FillQuery(PageQuery):
    """Filters of the list of executions."""

    order = serializers.UUIDField(required=False)
    account = serializers.UUIDField(required=False)


class PositionSerializer(serializers.Serializer[Any]):
    """What an account holds of an instrument, at average cost; a short is negative.

    The market's side is of the latest fresh quote (a long is worth its bid, a short its ask), and null without one.
    """

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    instrument = serializers.CharField()
    quantity = DecimalText()
    average_price = DecimalText()
    market_price = DecimalText(allow_null=True)
    market_value = DecimalText(allow_null=True)
    unrealized_pnl = DecimalText(allow_null=True)
    realized_pnl = DecimalText()
    as_of = serializers.DateTimeField()


class PositionQuery(PageQuery):
    """Filters of the list of positions."""

    account = serializers.UUIDField(required=False)
