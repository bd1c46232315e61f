"""What is said of permissions and roles, and what a role is made of."""

from typing import Any

import msgspec
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.serializers import StrictSerializer
from apps.core.conditions import DAYS, Conditions, read_conditions
from apps.core.permissions import ACCOUNT, CONNECTION, Permission
from apps.tenants.enums import Role


def _condition(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_CONDITION = {
    "oneOf": [
        _condition("Only what the acting member made.", {"type": {"type": "string", "enum": ["own"]}}),
        _condition(
            "Only amounts below this one, in the account's currency.",
            {"type": {"type": "string", "enum": ["amount_below"]}, "amount": {"type": "string"}},
        ),
        _condition(
            "Only on these days from one time to another, by the clocks of a place.",
            {
                "type": {"type": "string", "enum": ["hours"]},
                "time_zone": {"type": "string", "example": "Europe/Berlin"},
                "days": {"type": "array", "items": {"type": "string", "enum": list(DAYS)}},
                "from": {"type": "string", "example": "09:00"},
                "to": {"type": "string", "example": "17:30"},
            },
        ),
    ]
}


@extend_schema_field(
    {
        "type": "object",
        "description": "Conditions by permission; all of a permission's must hold.",
        "propertyNames": {"enum": list(Permission)},
        "additionalProperties": {"type": "array", "items": _CONDITION},
    }
)
class ConditionsField(serializers.Field):  # type: ignore[type-arg]  # one class for what comes in and goes out
    """Conditions by permission, each a list of objects with a `type`."""

    def to_internal_value(self, data: Any) -> Conditions:
        try:
            return read_conditions(data)
        except msgspec.ValidationError as error:
            # It names what it expected, where, and the type of what it found.
            raise serializers.ValidationError(_("Not conditions: %(why)s") % {"why": error}) from error

    def to_representation(self, value: Any) -> Any:
        return value


class PermissionSerializer(serializers.Serializer[Any]):
    """A permission, the types of condition that a role may set on it, for single objects of which types it
    can be granted, and the built-in roles that give it."""

    name = serializers.ChoiceField(list(Permission))
    area = serializers.CharField()
    description = serializers.CharField()
    conditions = serializers.ListField(child=serializers.CharField())
    grantable_for = serializers.ListField(child=serializers.ChoiceField([ACCOUNT, CONNECTION]))
    roles = serializers.ListField(child=serializers.ChoiceField(Role.values))


class RoleChangeSerializer(StrictSerializer):
    """What a role is to give from now on; what is left out stays."""

    name = serializers.CharField(max_length=120, required=False)
    permissions = serializers.ListField(
        child=serializers.CharField(max_length=64), allow_empty=False, max_length=100, required=False
    )
    conditions = ConditionsField(required=False)


class RoleRequestSerializer(RoleChangeSerializer):
    """A new role. Its slug, by which members and invitations name it, never changes."""

    slug = serializers.CharField(max_length=32)
    name = serializers.CharField(max_length=120)
    permissions = serializers.ListField(child=serializers.CharField(max_length=64), allow_empty=False, max_length=100)


class RoleSerializer(serializers.Serializer[Any]):
    """A role of the tenant's own; `members` have it."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    conditions = ConditionsField()
    members = serializers.IntegerField(source="member_count")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
