"""The shapes of proofs, checkpoints and keys."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.audit.types import ConsistencyProof, InclusionProof, PublicKey, RowProof
from apps.core.api.serializers import WholeNumberText

# The largest size that a log can have here.
_LARGEST = 2**63 - 1
_HASH_SCHEMA = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


@extend_schema_field(_HASH_SCHEMA)
class HashText(serializers.Field[bytes, Any, str, bytes]):
    """A SHA-256 in lower-case hex."""

    def to_representation(self, value: bytes) -> str:
        return bytes(value).hex()


class ProofQuery(serializers.Serializer[Any]):
    """The size of an older tree to prove the entry in; by default that of the latest checkpoint."""

    tree_size = WholeNumberText(required=False, min_value=1, max_value=_LARGEST)


class ConsistencyQuery(serializers.Serializer[Any]):
    """The sizes of two trees of the log; `to` is by default that of the latest checkpoint."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "from": WholeNumberText(min_value=0, max_value=_LARGEST),
            "to": WholeNumberText(required=False, min_value=0, max_value=_LARGEST),
        }


class InclusionProofSerializer(serializers.Serializer[InclusionProof]):
    """An inclusion proof of RFC 9162."""

    entry_id = serializers.UUIDField()
    index = serializers.IntegerField()
    tree_size = serializers.IntegerField()
    leaf_hash = HashText()
    path = serializers.ListField(child=HashText())
    root_hash = HashText()


class RowProofSerializer(serializers.Serializer[RowProof]):
    """An inclusion proof of RFC 9162, from a row to the root of its batch."""

    entry_id = serializers.UUIDField()
    row_id = serializers.UUIDField()
    index = serializers.IntegerField()
    count = serializers.IntegerField(help_text="How many rows the batch has")
    row_hash = HashText()
    path = serializers.ListField(child=HashText())
    batch_root = HashText(help_text="As the entry has it in `changes.batch.merkle_root`")


class ConsistencyProofSerializer(serializers.Serializer[ConsistencyProof]):
    """A consistency proof of RFC 9162."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "from": serializers.IntegerField(source="older"),
            "to": serializers.IntegerField(source="newer"),
            "path": serializers.ListField(child=HashText()),
            "from_root": HashText(source="older_root"),
            "to_root": HashText(source="newer_root"),
        }


class PublicKeySerializer(serializers.Serializer[PublicKey]):
    """A key that has signed checkpoints of this log."""

    id = serializers.CharField(source="key_id", help_text="Its id in the installation's ring")
    algorithm = serializers.SerializerMethodField()
    name = serializers.CharField(source="verifier.name")
    vkey = serializers.CharField(source="verifier", help_text="The verifier key as C2SP's signed notes have it")
    public_key = serializers.SerializerMethodField(help_text="Its 32 bytes (RFC 8032) in lower-case hex")
    valid_from = serializers.DateTimeField(source="since")
    valid_until = serializers.DateTimeField(
        source="until", allow_null=True, help_text="Since then a newer key has signed every checkpoint as well"
    )

    def get_algorithm(self, _key: PublicKey) -> str:
        """Return the algorithm of the signatures."""
        return "ed25519"

    @extend_schema_field(_HASH_SCHEMA)
    def get_public_key(self, key: PublicKey) -> str:
        """Return the raw key."""
        return key.verifier.public_key.hex()


class PublicKeysSerializer(serializers.Serializer[Mapping[str, Any]]):
    """The keys to verify this log's checkpoints with, the newest first."""

    origin = serializers.CharField(help_text="The first line of each of this log's checkpoints")
    vkey = serializers.CharField(allow_null=True, help_text="The newest key's; null before the first checkpoint")
    public_key = HashText(allow_null=True, help_text="The newest key's 32 bytes; null before the first checkpoint")
    keys = PublicKeySerializer(many=True)
