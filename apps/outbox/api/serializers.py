"""The shapes of the events API."""

from typing import Any

from rest_framework import serializers

from apps.core.api.serializers import PageQuery, WholeNumberText
from apps.outbox.models import OutboxEvent


class EventQuery(PageQuery):
    """Filters of the event list. With `after`, a sequence, the list becomes a feed: oldest first."""

    type = serializers.CharField(required=False)
    entity_id = serializers.UUIDField(required=False)
    after = WholeNumberText(required=False, min_value=0, max_value=2**63 - 1)


class EventEntitySerializer(serializers.Serializer[Any]):
    """What an event happened to."""

    type = serializers.CharField(source="entity_type")
    id = serializers.UUIDField(source="entity_id")


class EventSerializer(serializers.Serializer[OutboxEvent]):
    """An event. `sequence` counts the tenant's events without a gap."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    sequence = serializers.IntegerField()
    schema_version = serializers.IntegerField()
    entity = EventEntitySerializer(source="*")
    # DRF takes declared fields off the class, so the property `data` of serializers stays what it is.
    data = serializers.DictField()  # type: ignore[assignment]
    occurred_at = serializers.DateTimeField()
    request_id = serializers.CharField()
