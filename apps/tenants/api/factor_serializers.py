"""Second factors, in requests and answers."""

from typing import Any

from rest_framework import serializers

from apps.core.api.serializers import StrictSerializer


class TotpRequestSerializer(StrictSerializer):
    """A new authenticator app, by the name that its user gives it."""

    name = serializers.CharField(max_length=64, required=False, default="Authenticator")


class ConfirmSerializer(StrictSerializer):
    """The code that the new authenticator shows."""

    otp = serializers.CharField(max_length=16)


class CredentialSerializer(serializers.Serializer[Any]):
    """What `PublicKeyCredential.toJSON()` gives; what we have no use for may be in it (WebAuthn Level 3, 5.1)."""

    id = serializers.CharField(max_length=2048)
    rawId = serializers.CharField(max_length=2048)  # noqa: N815  (W3C's name)
    type = serializers.ChoiceField(["public-key"])


class AttestationSerializer(serializers.Serializer[Any]):
    """The response of a new credential; binary values are base64url."""

    clientDataJSON = serializers.CharField(max_length=16_384)  # noqa: N815  (W3C's name)
    attestationObject = serializers.CharField(max_length=65_536)  # noqa: N815  (W3C's name)
    transports = serializers.ListField(child=serializers.CharField(max_length=32), max_length=16, required=False)


class AssertionSerializer(serializers.Serializer[Any]):
    """The response of a credential that signs; binary values are base64url."""

    clientDataJSON = serializers.CharField(max_length=16_384)  # noqa: N815  (W3C's name)
    authenticatorData = serializers.CharField(max_length=16_384)  # noqa: N815  (W3C's name)
    signature = serializers.CharField(max_length=4096)
    userHandle = serializers.CharField(max_length=128, required=False, allow_null=True)  # noqa: N815  (W3C's name)


class NewCredentialSerializer(CredentialSerializer):
    """A new credential."""

    response = AttestationSerializer()


class SigningCredentialSerializer(CredentialSerializer):
    """A credential that signs."""

    response = AssertionSerializer()


class PasskeyRequestSerializer(StrictSerializer):
    """A new passkey, by the name that its user gives it: `credential` is what the browser made of the options."""

    name = serializers.CharField(max_length=64, required=False, default="Passkey")
    credential = NewCredentialSerializer()


class PasskeyOptionsSerializer(serializers.Serializer[Any]):
    """A challenge that is good for five minutes, once: `options` are for `PublicKeyCredential`'s `parse…FromJSON`."""

    id = serializers.UUIDField()
    options = serializers.DictField()


class PasskeyAnswerSerializer(StrictSerializer):
    """A passkey's answer: `challenge_id` is the challenge's, `credential` what the browser made of its options."""

    challenge_id = serializers.UUIDField()
    credential = SigningCredentialSerializer()


class PasskeySignInSerializer(PasskeyAnswerSerializer):
    """A sign-in by passkey. `tenant` is a slug or an id, needed by members of several tenants."""

    tenant = serializers.CharField(max_length=36, required=False, allow_blank=True, default="")


class FactorSerializer(serializers.Serializer[Any]):
    """A second factor."""

    id = serializers.UUIDField()
    type = serializers.ChoiceField(["totp", "passkey"], source="kind")
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class CodesLeftSerializer(serializers.Serializer[Any]):
    """How many recovery codes are left, and when they were made."""

    left = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class FactorsSerializer(serializers.Serializer[Any]):
    """A user's second factors; without one there are no recovery codes."""

    factors = FactorSerializer(many=True)
    recovery_codes = CodesLeftSerializer(allow_null=True)


class NewTotpSerializer(serializers.Serializer[Any]):
    """An authenticator to confirm: `secret` is base32, `qr_svg` a picture of `otpauth_uri` for an app to scan."""

    id = serializers.UUIDField()
    secret = serializers.CharField()
    otpauth_uri = serializers.CharField()
    qr_svg = serializers.CharField()


class EnrolledSerializer(serializers.Serializer[Any]):
    """A factor that counts from now on; `recovery_codes` come with the first one."""

    factor = FactorSerializer()
    recovery_codes = serializers.ListField(child=serializers.CharField(), allow_null=True)


class RecoveryCodesSerializer(serializers.Serializer[Any]):
    """Codes that each open once in the place of a one-time code."""

    recovery_codes = serializers.ListField(child=serializers.CharField())
