"""What is read from requests about passwords."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.core.api.serializers import StrictSerializer


class PasswordChangeSerializer(StrictSerializer):
    """A new password in the place of the current one; `otp` is a code of the second factor, if there is one."""

    current_password = serializers.CharField(max_length=1024, trim_whitespace=False)
    new_password = serializers.CharField(max_length=1024, trim_whitespace=False)
    otp = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")


class PasswordResetRequestSerializer(StrictSerializer):
    """Who wants a new password: by user name or by e-mail address."""

    username = serializers.CharField(max_length=150, required=False)
    email = serializers.EmailField(max_length=254, required=False)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if len(values) != 1:
            raise serializers.ValidationError(
                {"username": [serializers.ErrorDetail(_("Give a user name or an e-mail address."), "required")]}
            )
        return values


class PasswordResetConfirmSerializer(StrictSerializer):
    """A letter's token and the new password; `otp` is a code of the second factor, if there is one."""

    token = serializers.CharField(max_length=128)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    otp = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")
