"""The shapes of the providers API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.serializers import PageQuery, StrictSerializer
from apps.providers.enums import Capability, ConnectionStatus, SyncStatus, SyncTrigger
from apps.providers.models import Connection, SyncRun
from apps.providers.selectors import Provider


class LimitSerializer(serializers.Serializer[Any]):
    """A request limit as the provider meters it."""

    scope = serializers.ChoiceField(["application", "connection"])
    requests = serializers.IntegerField()
    seconds = serializers.IntegerField()
    burst = serializers.IntegerField()


class CredentialFieldSerializer(serializers.Serializer[Any]):
    """A value that `POST /connections` takes in `credentials`."""

    name = serializers.CharField()
    title = serializers.CharField()
    secret = serializers.BooleanField()
    required = serializers.BooleanField()  # type: ignore[assignment]  # the wire name meets a Field attribute
    max_length = serializers.IntegerField()


class ProviderHealthSerializer(serializers.Serializer[Any]):
    """Whether calls go through: `down` until `retry_at`, `recovering` while one call tries, `unknown` for us."""

    status = serializers.ChoiceField(["up", "down", "recovering", "unknown"])
    retry_at = serializers.DateTimeField(allow_null=True)


class ProviderSerializer(serializers.Serializer[Provider]):
    """A provider that this installation knows; `reason` says why a disabled one is."""

    name = serializers.CharField()
    title = serializers.CharField()
    status = serializers.ChoiceField(["available", "disabled"])
    reason = serializers.CharField()
    capabilities = serializers.ListField(child=serializers.ChoiceField(Capability.choices))
    limits = LimitSerializer(many=True)
    credential_fields = CredentialFieldSerializer(many=True)
    health = ProviderHealthSerializer()


class ConnectionQuery(PageQuery):
    """Filters of the connection list. Disabled connections are listed only when asked for."""

    provider = serializers.CharField(required=False, max_length=50)
    status = serializers.ChoiceField(ConnectionStatus.choices, required=False)


class NewConnectionSerializer(StrictSerializer):
    """A connection to make. `credentials` has the provider's own fields, see GET /providers."""

    provider = serializers.CharField(max_length=50)
    credentials = serializers.DictField(child=serializers.CharField(allow_blank=True, allow_null=True))
    label = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")  # type: ignore[assignment]  # as above


class StatusReasonSerializer(serializers.Serializer[Any]):
    """Why a connection needs attention, and what to do about it."""

    code = serializers.CharField()
    message = serializers.CharField()


class ConnectionSerializer(serializers.Serializer[Connection]):
    """A connection. Its credentials never come back."""

    id = serializers.UUIDField()
    provider = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as above
    status = serializers.ChoiceField(ConnectionStatus.choices)
    status_reason = serializers.SerializerMethodField()
    external_id = serializers.CharField()
    consecutive_failures = serializers.IntegerField()
    last_synced_at = serializers.DateTimeField(allow_null=True)
    next_sync_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(StatusReasonSerializer(allow_null=True))
    def get_status_reason(self, connection: Connection) -> dict[str, str] | None:
        """Return code and message; None while all is well."""
        if not connection.status_code:
            return None
        return {"code": connection.status_code, "message": connection.status_message}


class SyncErrorSerializer(serializers.Serializer[Any]):
    """Why a run, or its latest attempt, failed."""

    code = serializers.CharField()
    message = serializers.CharField()


class SyncRunSerializer(serializers.Serializer[SyncRun]):
    """A synchronisation. `attempt` counts its tries; a queued run with an `error` waits to be tried again."""

    id = serializers.UUIDField()
    connection_id = serializers.UUIDField()
    status = serializers.ChoiceField(SyncStatus.choices)
    trigger = serializers.ChoiceField(SyncTrigger.choices)
    attempt = serializers.IntegerField()
    added = serializers.IntegerField()
    modified = serializers.IntegerField()
    removed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    error = SyncErrorSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RequestedRunSerializer(SyncRunSerializer):
    """The run that was asked for: as `run`, and its members beside it."""

    run = SyncRunSerializer(source="*")
