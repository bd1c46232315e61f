"""What is said of permissions and roles."""

from typing import Any

from rest_framework import serializers

from apps.core.permissions import Permission
from apps.tenants.enums import Role


class PermissionSerializer(serializers.Serializer[Any]):
    """A permission, the types of condition that a role may set on it, and the built-in roles that give it."""

    name = serializers.ChoiceField(list(Permission))
    area = serializers.CharField()
    description = serializers.CharField()
    conditions = serializers.ListField(child=serializers.CharField())
    roles = serializers.ListField(child=serializers.ChoiceField(Role.values))
