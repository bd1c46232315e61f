"""The shapes of the audit API."""

from typing import Any

from rest_framework import serializers

from apps.audit.opening import OpenedEntry
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
    """A part of the audit log, as a file; without `format` as `Accept` says, else JSON Lines."""

    format = serializers.ChoiceField(choices=["jsonl", "csv"], required=False)
    from_sequence = WholeNumberText(min_value=1, max_value=2**63 - 1, default=1)
    limit = WholeNumberText(min_value=1, max_value=EXPORT_LIMIT, default=EXPORT_LIMIT)


class AuditTargetSerializer(serializers.Serializer[Any]):
    """What an entry is about."""

    type = serializers.CharField(source="target_type")
    id = serializers.CharField(source="target_id")


class SealedPartSerializer(serializers.Serializer[Any]):
    """What an entry says of a person, as the leaf commits to it.

    `members` names what is sealed, `digest` is SHA-256 of the salt and the RFC 8785 bytes of these members.
    """

    subject = serializers.UUIDField()
    key = serializers.UUIDField()
    members = serializers.ListField(child=serializers.CharField())
    ciphertext = serializers.CharField()
    digest = serializers.CharField()


class AuditEntrySerializer(serializers.Serializer[OpenedEntry]):
    """An audit entry with what it says of people opened."""

    id = serializers.UUIDField(source="entry.id")
    sequence = serializers.IntegerField(source="entry.sequence", allow_null=True)
    tenant_id = serializers.UUIDField(source="entry.tenant_id")
    schema_version = serializers.IntegerField(source="entry.schema_version")
    action = serializers.CharField(source="entry.action")
    actor = serializers.DictField(child=serializers.CharField())
    target = AuditTargetSerializer(source="entry")
    changes = serializers.DictField()
    personal = serializers.DictField(source="entry.personal", child=SealedPartSerializer())
    salts = serializers.DictField(child=serializers.CharField())
    request_id = serializers.CharField(source="entry.request_id")
    traceparent = serializers.CharField(source="entry.traceparent")
    at = serializers.DateTimeField(source="entry.at")
    leaf_hash = serializers.SerializerMethodField()

    def get_leaf_hash(self, opened: OpenedEntry) -> str:
        """Return SHA-256 in lower-case hex."""
        return bytes(opened.entry.leaf_hash).hex()
