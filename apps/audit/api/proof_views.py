"""What lets a client verify the tenant's log without trusting us: checkpoints, proofs, and the keys that sign."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit import selectors
from apps.audit.api.proof_serializers import (
    ConsistencyProofSerializer,
    ConsistencyQuery,
    InclusionProofSerializer,
    ProofQuery,
    PublicKeysSerializer,
    RowProofSerializer,
)
from apps.audit.api.waiting import read_when_there
from apps.core.api.permissions import Permission
from apps.core.api.renderers import JSONRenderer
from apps.core.api.views import TenantView
from apps.core.scope import tenant_scope

PLAIN_TEXT = "text/plain; charset=utf-8"

T = TypeVar("T")


class TextRenderer(BaseRenderer):
    """Renders text as it is."""

    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return str(data).encode()


class TextForJsonClientsRenderer(TextRenderer):
    """Renders the same text for clients that ask for JSON wherever they go; the answer says that it is text."""

    media_type = "application/json"
    format = "json"


class CoveredView(TenantView):
    """A view of what a checkpoint covers. For what has only just happened it waits a moment, until one does."""

    required_permissions: ClassVar[Mapping[str, str]] = {"GET": Permission.AUDIT_READ}

    def read_covered(self, read: Callable[[], T]) -> T:
        """Return what `read` returns in the tenant's scope; see `read_when_there`."""
        return read_when_there(lambda: self._read(read))

    def _read(self, read: Callable[[], T]) -> T:
        with tenant_scope(self.tenant_id):
            return read()


class CheckpointView(CoveredView):
    """The latest signed head of the tenant's log."""

    renderer_classes = (TextRenderer, TextForJsonClientsRenderer)

    @extend_schema(
        operation_id="get_audit_checkpoint",
        tags=["Audit"],
        summary="Get the latest checkpoint",
        description=(
            "A C2SP signed note whose text is a checkpoint: the log's origin, how many entries it has, and the base64 "
            "of the RFC 9162 root over their leaf hashes in order of `sequence`. Keep it: `GET /audit/consistency` "
            "then shows that nothing before it was changed, `GET /audit/proof/{entry_id}` what it holds. An entry is "
            "normally covered within a second. While keys are being changed, old and new sign both."
        ),
        responses={(200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, description="The signed note")},
    )
    def get(self, _request: Request) -> Response:
        checkpoint = self.read_covered(lambda: selectors.latest_checkpoint(self.tenant_id))
        return Response(checkpoint.note, content_type=PLAIN_TEXT)


class ProofView(CoveredView):
    """The proof that an entry is in the tenant's log."""

    query_serializer = ProofQuery

    @extend_schema(
        operation_id="get_audit_proof",
        tags=["Audit"],
        summary="Prove that an entry is in the log",
        description=(
            "The RFC 9162 inclusion proof of one entry in the tree of the latest checkpoint, or in that of "
            "`tree_size`. An entry that no checkpoint covers yet is waited for, up to a second; then the answer is "
            "503 `not_in_checkpoint_yet` with `Retry-After`."
        ),
        responses=InclusionProofSerializer,
    )
    def get(self, _request: Request, entry_id: UUID) -> Response:
        size = self.query.get("tree_size")
        proof = self.read_covered(
            lambda: selectors.prove_inclusion(tenant_id=self.tenant_id, entry_id=entry_id, tree_size=size)
        )
        return Response(InclusionProofSerializer(proof).data)


class RowProofView(TenantView):
    """The proof that a row is in the batch that an entry commits to."""

    required_permissions: ClassVar[Mapping[str, str]] = {"GET": Permission.AUDIT_READ}

    @extend_schema(
        operation_id="get_audit_row_proof",
        tags=["Audit"],
        summary="Prove that a row is in a batch",
        description=(
            "An entry with `changes.batch`, such as that of a sync, commits to every row of its batch: to how many "
            "they are, and to the RFC 9162 root over them. This is the inclusion proof of one row, by its id: "
            "`row_hash` is SHA-256 of a zero byte and the row's bytes, `path` leads from it to `batch_root`. For "
            "`accounts.synced` the bytes are a JSON array of strings without white space; see docs/audit.md."
        ),
        responses=RowProofSerializer,
    )
    def get(self, _request: Request, entry_id: UUID, row_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            proof = selectors.prove_row(tenant_id=self.tenant_id, entry_id=entry_id, row_id=row_id)
        return Response(RowProofSerializer(proof).data)


class ConsistencyView(CoveredView):
    """The proof that the log has only grown."""

    query_serializer = ConsistencyQuery

    @extend_schema(
        operation_id="get_audit_consistency",
        tags=["Audit"],
        summary="Prove that the log has only grown",
        description=(
            "The RFC 9162 consistency proof between the trees of two sizes, such as those of two checkpoints that you "
            "hold. Of the empty tree (`from=0`), and of two of one size, nothing has to be proved: `path` is empty."
        ),
        responses=ConsistencyProofSerializer,
    )
    def get(self, _request: Request) -> Response:
        older, newer = self.query["from"], self.query.get("to")
        proof = self.read_covered(
            lambda: selectors.prove_consistency(tenant_id=self.tenant_id, older=older, newer=newer)
        )
        return Response(ConsistencyProofSerializer(proof).data)


class PublicKeyView(TenantView):
    """The keys that the tenant's checkpoints are signed with."""

    required_permissions: ClassVar[Mapping[str, str]] = {"GET": Permission.AUDIT_READ}
    renderer_classes = (JSONRenderer, TextRenderer)

    @extend_schema(
        operation_id="get_audit_public_key",
        tags=["Audit"],
        summary="Get the keys that checkpoints are signed with",
        description=(
            "Every key that has ever signed, the newest first, so that old checkpoints verify. `vkey` is the verifier "
            "key of C2SP's signed notes. Pin it when you first see it: a change of keys then shows, and as long as "
            "both sign, the one that you know vouches for the new one. With `Accept: text/plain` the answer is "
            "the verifier keys alone, one a line."
        ),
        responses=PublicKeysSerializer,
    )
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant_id):
            keys = selectors.public_keys(self.tenant_id)
        vkeys = [str(key.verifier) for key in keys]
        if isinstance(request.accepted_renderer, TextRenderer):
            return Response("".join(f"{vkey}\n" for vkey in vkeys))
        newest = keys[0].verifier if keys else None
        told = {
            "origin": selectors.origin_of(self.tenant_id),
            "vkey": newest,
            "public_key": newest.public_key if newest else None,
            "keys": keys,
        }
        return Response(PublicKeysSerializer(told).data)
