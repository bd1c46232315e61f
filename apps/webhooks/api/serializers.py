"""The shapes of the webhooks API."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from apps.core.api.serializers import PageQuery, StrictSerializer, TimeText
from apps.webhooks.enums import LOST_STATUSES, DeliveryStatus, EndpointStatus, RecoveryStatus, Signing
from apps.webhooks.events import endpoint_data
from apps.webhooks.headers import LONGEST_VALUE
from apps.webhooks.models import Delivery, DeliveryAttempt, Endpoint, Recovery
from apps.webhooks.services import LONGEST_GRACE_SECONDS, MOST_IDS, Resent


class EventTypesField(serializers.ListField):
    """Event types, or patterns such as `order.*`; an empty list asks for all."""

    child = serializers.CharField(max_length=100)


class _HeaderValue(serializers.CharField):
    """A header's value, as it is: the service says what is wrong with it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=LONGEST_VALUE, **options)


class HeadersField(serializers.DictField):
    """Headers of the endpoint's own, by name. Their values are not shown again."""


class ApiVersionField(serializers.CharField):
    """The date of the API whose payloads an endpoint is sent; left out, the newest when it is made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=10, **options)


class NewEndpointSerializer(StrictSerializer):
    """An endpoint to make."""

    url = serializers.CharField(max_length=2000)
    event_types = EventTypesField(required=False, default=list, max_length=200)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    headers = HeadersField(child=_HeaderValue(), required=False)
    signing = serializers.ChoiceField(Signing.choices, required=False, default=Signing.SYMMETRIC)
    api_version = ApiVersionField(required=False)


class EndpointChangeSerializer(StrictSerializer):
    """What can be changed; what is left out stays."""

    url = serializers.CharField(max_length=2000, required=False)
    event_types = EventTypesField(required=False, max_length=200)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)
    headers = HeadersField(
        child=_HeaderValue(allow_null=True),
        required=False,
        help_text="Those named are set, or with null taken away; the others stay, unless `url` names another server.",
    )
    api_version = ApiVersionField(required=False)
    status = serializers.ChoiceField(EndpointStatus.choices, required=False)


class RotationSerializer(StrictSerializer):
    """How long the old key signs beside the new one, and, if it is to change, how requests are signed."""

    grace_seconds = serializers.IntegerField(
        required=False, default=24 * 3600, min_value=0, max_value=LONGEST_GRACE_SECONDS
    )
    signing = serializers.ChoiceField(Signing.choices, required=False)


class RecoveryRequestSerializer(StrictSerializer):
    """Since when to send again what did not arrive."""

    since = TimeText()


class EndpointSerializer(serializers.Serializer[Endpoint]):
    """An endpoint. `disabled_reason` says why the platform has disabled it: `gone` after a 410, `failing` after days.

    `failing_since` is the first failure after which nothing has arrived. `public_key` (`whpk_` and base64) is for
    checking the `v1a` signatures of an endpoint whose `signing` is asymmetric.
    """

    id = serializers.UUIDField()
    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    header_names = serializers.ListField(child=serializers.CharField())
    signing = serializers.ChoiceField(Signing.choices)
    public_key = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(EndpointStatus.choices)
    disabled_reason = serializers.CharField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True)
    api_version = serializers.CharField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Endpoint) -> dict[str, Any]:
        """Return the shape that events carry, too."""
        return {**endpoint_data(instance)}


class EndpointWithSecretSerializer(EndpointSerializer):
    """An endpoint with its new secret, which is not shown again; null where the public key is all that it takes."""

    secret = serializers.CharField(allow_null=True)


class AttemptSerializer(serializers.Serializer[DeliveryAttempt]):
    """An attempt. `error` is null for a success; without an answer there is no `status_code`."""

    at = serializers.DateTimeField()
    status_code = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField()
    error = serializers.SerializerMethodField()
    response_excerpt = serializers.CharField()

    def get_error(self, attempt: DeliveryAttempt) -> str | None:
        """Return the code; None for a success."""
        return attempt.error or None


class DeliverySerializer(serializers.Serializer[Delivery]):
    """A delivery; its id is the `webhook-id`. One that waits for an earlier one of its entity has no next attempt."""

    id = serializers.UUIDField()
    endpoint_id = serializers.UUIDField()
    event_id = serializers.UUIDField()
    event_type = serializers.CharField()
    entity_id = serializers.UUIDField()
    sequence = serializers.IntegerField()
    previous_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(DeliveryStatus.choices)
    attempts = AttemptSerializer(many=True, source="attempts.all")
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class DeliveryQuery(PageQuery):
    """Filters of the delivery list."""

    endpoint = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(DeliveryStatus.choices, required=False)
    event_type = serializers.CharField(required=False, max_length=100)


class EnablingSerializer(StrictSerializer):
    """Whether what was missed since the first failure is sent again."""

    replay = serializers.BooleanField(required=False, default=True)


class RecoverySerializer(serializers.Serializer[Recovery]):
    """A recovery: how many of the `total` are queued again. It may have been asked for more than once."""

    id = serializers.UUIDField()
    endpoint_id = serializers.UUIDField()
    since = serializers.DateTimeField()
    status = serializers.ChoiceField(RecoveryStatus.choices)
    total = serializers.IntegerField()
    queued_again = serializers.IntegerField()
    begun_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class EnabledEndpointSerializer(EndpointSerializer):
    """An endpoint, and the recovery that has begun; null where nothing was missed."""

    recovery = RecoverySerializer(allow_null=True)


class ReceivedSerializer(StrictSerializer):
    """A request as its receiver has it: `headers` by name, `body` as it came, before anything parses it.

    Without a `secret` the endpoint's own are tried. With `computed_signature`, what the receiver's own code has made of
    the request, the usual mistakes of such code are told apart.
    """

    headers = serializers.DictField(child=serializers.CharField(max_length=4000, allow_blank=True))
    body = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=500_000)
    secret = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=200, default="")
    computed_signature = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")


class DiagnosisStepSerializer(serializers.Serializer[Any]):
    """One thing that was looked at; a `notice` is nothing that a receiver refuses."""

    code = serializers.CharField()
    outcome = serializers.ChoiceField(["right", "wrong", "notice"])
    text = serializers.CharField()


class DiagnosisSerializer(serializers.Serializer[Any]):
    """Whether a receiver would take the request, and why, in the order in which one checks it."""

    is_right = serializers.BooleanField()
    steps = DiagnosisStepSerializer(many=True)


class RetrySerializer(StrictSerializer):
    """Which deliveries to send again: `ids`, or a filter over those that failed or were discarded; `{}` means all."""

    ids = serializers.ListField(child=serializers.UUIDField(), required=False, allow_empty=False, max_length=MOST_IDS)
    endpoint = serializers.UUIDField(required=False)
    status = serializers.ChoiceField([(status.value, status.label) for status in LOST_STATUSES], required=False)
    event_type = serializers.CharField(required=False, max_length=100)
    since = TimeText(required=False)
    until = TimeText(required=False, help_text="Deliveries made before this time.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a filter beside ids."""
        if "ids" in attrs and len(attrs) > 1:
            raise serializers.ValidationError({"ids": _("Give ids, or a filter.")})
        return attrs


class ResentSerializer(serializers.Serializer[Resent]):
    """How many are sent again; `has_more`: more match the filter, so ask again."""

    queued_again = serializers.IntegerField()
    has_more = serializers.BooleanField()


class EventTypeSerializer(serializers.Serializer[Any]):
    """An event type: when it happens, and what its `data` hold.

    `schema` is a JSON Schema (2020-12), complete in itself; `example` is data that fit it.
    """

    type = serializers.CharField()
    version = serializers.IntegerField(min_value=1)
    description = serializers.CharField()
    schema = serializers.DictField()
    example = serializers.DictField()
