"""What the tenants room reads from requests and writes into answers."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.serializers import StrictSerializer, TimeText
from apps.core.permissions import GRANTABLE
from apps.tenants.enums import ApiKeyMode, InvitationStatus, Meter, Plan, TenantStatus
from apps.tenants.models import Invitation
from apps.users.devices import device_name
from apps.users.models import Session


class TokenRequestSerializer(StrictSerializer):
    """A sign-in. `tenant` is a slug or an id, needed by members of several tenants."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    otp = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")
    tenant = serializers.CharField(max_length=36, required=False, allow_blank=True, default="")


class RefreshRequestSerializer(StrictSerializer):
    """A refresh."""

    refresh = serializers.CharField(max_length=128)


class RevokeRequestSerializer(StrictSerializer):
    """A sign-out: of this refresh token's session, or without one of the access token's."""

    refresh = serializers.CharField(max_length=128, required=False)


class ReauthenticateSerializer(StrictSerializer):
    """The password of whoever is signed in, and the code of their second factor if they have one."""

    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    otp = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")


class ProofSerializer(serializers.Serializer[Any]):
    """When you proved who you are, and until when sensitive changes take it."""

    proved_at = serializers.DateTimeField()
    good_until = serializers.DateTimeField()


class TokenPairSerializer(serializers.Serializer[Any]):
    """The tokens of a session; `expires_in` is the access token's life in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    expires_in = serializers.IntegerField()
    token_type = serializers.SerializerMethodField()

    def get_token_type(self, _pair: Any) -> str:
        return "Bearer"


class SessionSerializer(serializers.Serializer[Any]):
    """A live session; `current` marks the one that asks. It ends at `expires_at`, or when unused at `idle_until`."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    idle_until = serializers.DateTimeField(source="ends_at")
    ip = serializers.CharField(allow_null=True)
    device = serializers.SerializerMethodField()
    user_agent = serializers.CharField()
    current = serializers.SerializerMethodField()

    def get_device(self, session: Session) -> str:
        return device_name(session.user_agent)

    def get_current(self, session: Session) -> bool:
        return bool(session.id == self.context["session_id"])


class PrincipalSerializer(serializers.Serializer[Any]):
    """A user or an API key."""

    type = serializers.ChoiceField(["user", "api_key"])
    id = serializers.UUIDField()
    name = serializers.CharField()


class TenantReferenceSerializer(serializers.Serializer[Any]):
    """The tenant that credentials are bound to."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class GrantedSerializer(serializers.Serializer[Any]):
    """A permission that is held for single objects alone; a connection's accounts are among the accounts."""

    permission = serializers.ChoiceField(list(GRANTABLE))
    accounts = serializers.ListField(child=serializers.UUIDField())
    connections = serializers.ListField(child=serializers.UUIDField())


class MeSerializer(serializers.Serializer[Any]):
    """Who asks. A user has a `role`, an API key a `mode`; `grants` are what the role does not give."""

    principal = PrincipalSerializer()
    tenant = TenantReferenceSerializer()
    role = serializers.CharField(allow_null=True)
    mode = serializers.ChoiceField(ApiKeyMode.values, allow_null=True)
    permissions = serializers.ListField(child=serializers.ChoiceField(list(Permission)))
    grants = GrantedSerializer(many=True)


class TenantSerializer(serializers.Serializer[Any]):
    """A tenant; while `read_only`, writes answer 503 `read_only`."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(TenantStatus.values)
    plan = serializers.ChoiceField(Plan.values)
    require_mfa = serializers.BooleanField()
    # DRF calls one of its own attributes the same.
    read_only = serializers.BooleanField(source="is_read_only")  # type: ignore[assignment]
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TenantChangeSerializer(StrictSerializer):
    """Whether every member needs a second factor."""

    require_mfa = serializers.BooleanField()


class MemberChangeSerializer(StrictSerializer):
    """A member's new role: a built-in one, or the slug of one of the tenant's own."""

    role = serializers.CharField(max_length=32)


class MemberRequestSerializer(MemberChangeSerializer):
    """A colleague by user name, and what they are to be here."""

    username = serializers.CharField(max_length=150)


class MemberSerializer(serializers.Serializer[Any]):
    """A member; name and e-mail address are as they were when the user joined."""

    id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField()
    role = serializers.CharField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class InvitationRequestSerializer(StrictSerializer):
    """Whom to invite, and as what: a built-in role, or the slug of one of the tenant's own."""

    email = serializers.EmailField(max_length=254)
    role = serializers.CharField(max_length=32)


class InvitationSerializer(serializers.Serializer[Any]):
    """An invitation; `sent_at` is null until its letter has gone out."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    role = serializers.CharField()
    status = serializers.SerializerMethodField()
    invited_by = serializers.CharField()
    expires_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(InvitationStatus.values))
    def get_status(self, invitation: Invitation) -> str:
        return str(invitation.status_at(clock.now()))


class InvitationAcceptSerializer(StrictSerializer):
    """An invitation's token; `username` and `password`, both or neither, make a new user."""

    token = serializers.CharField(max_length=128)
    username = serializers.CharField(max_length=150, required=False)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, required=False)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        lacking = {"username", "password"} - set(values)
        if len(lacking) == 1:
            raise serializers.ValidationError({lacking.pop(): [serializers.ErrorDetail(_("Give both."), "required")]})
        return values


class JoinedSerializer(serializers.Serializer[Any]):
    """A new member, and the tenant to sign in to."""

    member = MemberSerializer()
    tenant = TenantReferenceSerializer()


class ApiKeyRequestSerializer(StrictSerializer):
    """A new API key. Without `mode` it is a test key, which reaches paper accounts only.

    Without `allowed_networks` (CIDR) it works from everywhere, without `expires_at` for ever.
    """

    name = serializers.CharField(max_length=100)
    mode = serializers.ChoiceField(ApiKeyMode.values, required=False, default=ApiKeyMode.TEST.value)
    scopes = serializers.ListField(child=serializers.CharField(max_length=64), allow_empty=False, max_length=100)
    allowed_networks = serializers.ListField(
        child=serializers.CharField(max_length=43), required=False, default=list, max_length=100
    )
    expires_at = TimeText(required=False, allow_null=True, default=None)


class MeterSerializer(serializers.Serializer[Any]):
    """What is used of a limit; null is no limit. Staff may have set another `limit` than the plan's.

    Beyond a limit that is not `enforced` nothing is refused.
    """

    name = serializers.ChoiceField(Meter.values)
    used = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True)
    plan_limit = serializers.IntegerField(allow_null=True)
    enforced = serializers.BooleanField(source="is_enforced")


class RequestsSerializer(serializers.Serializer[Any]):
    """How many of your requests were admitted on this day and in this month (UTC).

    The count is some seconds behind, and is never too high.
    """

    today = serializers.IntegerField()
    this_month = serializers.IntegerField()


class UsageSerializer(serializers.Serializer[Any]):
    """The tenant's plan, and what is used of it."""

    plan = serializers.ChoiceField(Plan.values)
    limits = MeterSerializer(many=True)
    requests = RequestsSerializer()


class ApiKeyRollSerializer(StrictSerializer):
    """How long the old key works yet: a day, if not said, and at most a week."""

    overlap_seconds = serializers.IntegerField(min_value=0, max_value=7 * 24 * 3600, required=False, default=24 * 3600)


class ApiKeySerializer(serializers.Serializer[Any]):
    """An API key without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    mode = serializers.ChoiceField(ApiKeyMode.values)
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    allowed_networks = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    replaced_by = serializers.UUIDField(allow_null=True)
    created_by = serializers.CharField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NewApiKeySerializer(ApiKeySerializer):
    """An API key just created, with its secret: it is not shown again."""

    secret = serializers.CharField()
