"""The shapes of the audit API."""

from typing import Any

from rest_framework import serializers

from apps.audit.models import AuditEntry
from apps.core.api.serializers import PageQuery, TimeText, WholeNumberText

# Entries of one answer: about ten megabytes, made in about a second.
EXPORT_LIMIT = 10_000


class AuditFilters(serializers.Serializer[Any]):
    """Filters of the audit log. `actor` is the id of a user or an API key; `until` is exclusive."""

    action = serializers.CharField(required=False)
    actor = serializers.UUIDField(required=False)
    target_type = serializers.CharField(required=False)
    target_id = serializers.CharField(required=False)
    since = TimeText(required=False)
    until = TimeText(required=False)


class AuditEntryQuery(AuditFilters, PageQuery):
    """A page of the audit log."""


class AuditExportQuery(AuditFilters):
    """A part of the audit log, as a file."""

    format = serializers.ChoiceField(choices=["jsonl", "csv"], default="jsonl")
    from_sequence = WholeNumberText(min_value=1, max_value=2**63 - 1, default=1)
    limit = WholeNumberText(min_value=1, max_value=EXPORT_LIMIT, default=EXPORT_LIMIT)


class AuditTargetSerializer(serializers.Serializer[Any]):
    """What an entry is about."""

    type = serializers.CharField(source="target_type")
    id = serializers.CharField(source="target_id")


class AuditEntrySerializer(serializers.Serializer[AuditEntry]):
    """An audit entry: everything but `sequence` and `leaf_hash` is what the leaf hash commits to."""

    id = serializers.UUIDField()
    sequence = serializers.IntegerField(allow_null=True)
    tenant_id = serializers.UUIDField()
    schema_version = serializers.IntegerField()
    action = serializers.CharField()
    actor = serializers.DictField(child=serializers.CharField())
    target = AuditTargetSerializer(source="*")
    changes = serializers.DictField()
    request_id = serializers.CharField()
    traceparent = serializers.CharField()
    at = serializers.DateTimeField()
    leaf_hash = serializers.SerializerMethodField()

    def get_leaf_hash(self, entry: AuditEntry) -> str:
        """Return SHA-256 in lower-case hex."""
        return bytes(entry.leaf_hash).hex()
