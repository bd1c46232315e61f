"""The shapes of limits, decisions and kill switches."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.core.api.serializers import DecimalText, PageQuery, StrictSerializer
from apps.orders.enums import Mode, Outcome
from apps.orders.events import kill_switch_data, limits_data
from apps.orders.models import RiskAccount, RiskDecision
from apps.orders.services.kill_switch import LONGEST_REASON, SwitchState

# What an answer shows beside the limits themselves: sent back unchanged with them, it is no error.
_SHOWN = ("account_id", "mode", "currency", "version", "created_at", "updated_at")


class LimitsSerializer(serializers.Serializer[RiskAccount]):
    """What the risk gate lets an account do.

    `max_open_trades` counts distinct instruments with a position or an open order. `max_position_value` is in the
    account's currency, `max_concentration` a share of its equity; both bound a position at worst, with all open orders
    executed. `max_orders_per_minute` may come at once, and come back evenly over a minute.
    """

    account_id = serializers.UUIDField()
    mode = serializers.ChoiceField([mode.value for mode in Mode])
    currency = serializers.CharField()
    max_open_trades = serializers.IntegerField()
    max_position_value = DecimalText()
    max_concentration = DecimalText()
    max_orders_per_minute = serializers.IntegerField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: RiskAccount) -> dict[str, Any]:
        """Return the shape that events carry, too."""
        return {**limits_data(instance)}


class LimitsChange(StrictSerializer):
    """Limits to set; one that is left out stays. What else the answer shows may be sent along and is ignored."""

    max_open_trades = serializers.IntegerField(required=False)
    max_position_value = DecimalText(required=False)
    max_concentration = DecimalText(required=False)
    max_orders_per_minute = serializers.IntegerField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value({name: value for name, value in data.items() if name not in _SHOWN})


class CheckSerializer(serializers.Serializer[Any]):
    """What one check of the gate found; without a code it passed."""

    check = serializers.CharField()
    code = serializers.CharField(allow_null=True)
    detail = serializers.CharField()


class DecisionSerializer(serializers.Serializer[RiskDecision]):
    """What the risk gate decided, and upon what. Without an order it was a dry run.

    `request` is the order that was judged and `inputs` all that the gate knew; an input that is null was not known.
    """

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    order_id = serializers.UUIDField(allow_null=True)
    outcome = serializers.ChoiceField([outcome.value for outcome in Outcome])
    code = serializers.CharField(allow_null=True)
    detail = serializers.CharField()
    request = serializers.JSONField()
    inputs = serializers.JSONField()
    checks = CheckSerializer(many=True)
    decided_at = serializers.DateTimeField()

    def to_representation(self, instance: RiskDecision) -> dict[str, Any]:
        """Return the record as it was stored."""
        return {
            "id": instance.id,
            "account_id": instance.account_id,
            "order_id": instance.order_id,
            "outcome": str(instance.outcome),
            "code": instance.code or None,
            "detail": instance.detail,
            "request": instance.request,
            "inputs": instance.inputs,
            "checks": instance.checks,
            "decided_at": instance.decided_at,
        }


class DecisionQuery(PageQuery):
    """Filters of the list of decisions."""

    account = serializers.UUIDField(required=False)
    order = serializers.UUIDField(required=False)
    outcome = serializers.ChoiceField([outcome.value for outcome in Outcome], required=False)


class InstallationSwitchSerializer(serializers.Serializer[Any]):
    """The switch that stops everybody's trading; the platform's staff turn it."""

    engaged = serializers.BooleanField()
    reason = serializers.CharField()
    changed_at = serializers.DateTimeField(allow_null=True)


class AccountSwitchSerializer(serializers.Serializer[Any]):
    """The switch of one account that was ever engaged."""

    account_id = serializers.UUIDField()
    engaged = serializers.BooleanField()
    reason = serializers.CharField()
    changed_by = serializers.CharField()
    changed_at = serializers.DateTimeField()
    orders_in_flight = serializers.BooleanField(allow_null=True)
    version = serializers.IntegerField()


class KillSwitchSerializer(serializers.Serializer[Any]):
    """Whether the tenant's trading is stopped, by its own switch or by the installation's, and that of accounts.

    `reason`, `changed_by`, `changed_at` and `version` are the tenant's own switch's; the version is 0 until it is first
    engaged. `orders_in_flight` tells whether an order that was being sent when a switch was engaged is still under way
    to the venue; null while nothing is engaged.
    """

    engaged = serializers.BooleanField()
    reason = serializers.CharField()
    changed_by = serializers.CharField(allow_null=True)
    changed_at = serializers.DateTimeField(allow_null=True)
    orders_in_flight = serializers.BooleanField(allow_null=True)
    version = serializers.IntegerField()
    installation = InstallationSwitchSerializer()
    accounts = AccountSwitchSerializer(many=True)

    def to_representation(self, instance: SwitchState) -> dict[str, Any]:
        """Return the state of every switch that the tenant feels."""
        own, above = instance.tenant, instance.installation
        shown = kill_switch_data(own) if own else {"reason": "", "changed_by": None, "changed_at": None, "version": 0}
        return {
            **shown,
            "engaged": instance.is_engaged,
            "orders_in_flight": instance.in_flight.get(None),
            "installation": {
                "engaged": above is not None and above.engaged,
                "reason": above.reason if above else "",
                "changed_at": above.updated_at if above else None,
            },
            "accounts": [
                {
                    "account_id": switch.account_id,
                    **kill_switch_data(switch),
                    "orders_in_flight": instance.in_flight.get(switch.account_id),
                }
                for switch in instance.accounts
            ],
        }


class _IdText(serializers.UUIDField):
    """An id as text alone: DRF would take a number, and so `true`, for one."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        value: UUID = super().to_internal_value(data)
        return value


class KillSwitchChange(StrictSerializer):
    """The tenant's switch, or with `account_id` that account's. Engaging needs a reason."""

    engaged = serializers.BooleanField()
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=LONGEST_REASON)
    account_id = _IdText(required=False, allow_null=True, default=None)
