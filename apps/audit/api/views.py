"""The tenant's audit log."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit import selectors
from apps.audit.api.serializers import EXPORT_LIMIT, AuditEntryQuery, AuditEntrySerializer, AuditExportQuery
from apps.audit.api.waiting import read_soon
from apps.audit.errors import NotInCheckpointYet
from apps.audit.exporting import as_lines, as_table
from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry, open_entries, open_many
from apps.core.api.permissions import Permission
from apps.core.api.renderers import JSONRenderer
from apps.core.api.views import ApiView, TenantListView, TenantView
from apps.core.scope import tenant_scope

LINES, OLDER_LINES = "application/jsonl", "application/x-ndjson"
CSV, PYTHON = "text/csv; charset=utf-8", "text/x-python; charset=utf-8"
ROWS_AT_ONCE = 1_000
# The one place where it is: people who read the source find what they download.
VERIFIER = Path(__file__).resolve().parents[1] / "finops_verify.py"


class LinesRenderer(JSONRenderer):
    """Lets a client ask for JSON Lines by name; problems are JSON all the same."""

    media_type = LINES
    format = "jsonl"


class OlderLinesRenderer(LinesRenderer):
    """The same by the name that many programs have for it."""

    media_type = OLDER_LINES


class TableRenderer(JSONRenderer):
    """Lets a client ask for a table by name."""

    media_type = "text/csv"
    format = "csv"


class ProgramRenderer(JSONRenderer):
    """Lets a client ask for a program by name."""

    media_type = "text/x-python"
    format = "py"


class AuditEntryListView(TenantListView):
    """The log, newest first."""

    required_permissions = {"GET": Permission.AUDIT_READ}
    query_serializer = AuditEntryQuery
    serializer_class = AuditEntrySerializer
    ordering = ("-at", "-id")

    @extend_schema(
        operation_id="list_audit_entries",
        tags=["Audit"],
        summary="List audit entries",
        description=(
            "Newest first. An entry is listed from the moment its change is committed. For its `sequence`, its place "
            "in the tenant's log, the answer waits up to a second, until the sequencer has numbered it; where it has "
            "not, it is null.\n\n"
            "To check a `leaf_hash`: drop `sequence`, `leaf_hash` and `salts`; for each part in `personal` take the "
            "members that it names out of the entry's `actor` or `changes`; take the RFC 8785 bytes of the rest, put a "
            "zero byte in front and hash them with SHA-256.\n\n"
            "What is said of people is sealed under a key of theirs. Where `salts` has a part, its members are shown: "
            "the part's `digest` is SHA-256 of the salt's 32 bytes followed by the RFC 8785 bytes of the object of its "
            "members. Where it has none, they were erased: `actor` keeps ids only, and erased `changes` are "
            "`[erased]`. The leaf hash holds all the same."
        ),
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        data, next_cursor = super().read_page(limit=limit, cursor=cursor)
        unnumbered = {UUID(entry["id"]): entry for entry in data if entry["sequence"] is None}
        if unnumbered:
            with suppress(NotInCheckpointYet):
                for entry_id, sequence in read_soon(lambda: self._sequences(unnumbered)).items():
                    unnumbered[entry_id]["sequence"] = sequence
        return data, next_cursor

    def _sequences(self, entry_ids: Collection[UUID]) -> Mapping[UUID, int]:
        with tenant_scope(self.tenant_id):
            found = selectors.sequences_of(tenant_id=self.tenant_id, entry_ids=entry_ids)
        if len(found) < len(entry_ids):
            raise NotInCheckpointYet(retry_after=1)
        return found

    def serialize(self, rows: Sequence[Any]) -> list[Any]:
        return super().serialize(open_entries(rows))

    def rows(self) -> QuerySet[AuditEntry]:
        return _matching(self)


class AuditExportView(TenantView):
    """The log as a file: for verification offline, and for people."""

    required_permissions = {"GET": Permission.AUDIT_READ}
    query_serializer = AuditExportQuery
    renderer_classes = (JSONRenderer, LinesRenderer, OlderLinesRenderer, TableRenderer)

    @extend_schema(
        operation_id="export_audit_entries",
        tags=["Audit"],
        summary="Export audit entries",
        description=(
            "The entries that have their place in the log, in its order: as JSON Lines, which `finops_verify.py` "
            "verifies offline, or as CSV for people: as `format` says, or else `Accept`. One answer holds at most "
            f"{EXPORT_LIMIT:,} entries; while there are more, `Link` names the next part "
            '(`rel="next"`, with its `from_sequence`). Parts of one export are verified together, in their order; '
            "an export with filters has gaps, and can be verified line by line only."
        ),
        responses={(200, kind): OpenApiTypes.STR for kind in (LINES, OLDER_LINES, CSV)},
    )
    def get(self, request: Request, **_path: object) -> HttpResponse:
        query, limit = self.query, self.query["limit"]
        form, media_type, written = self._form(request)
        with tenant_scope(self.tenant_id):
            rows = selectors.numbered_from(_matching(self), first=query["from_sequence"])
            body = b"".join(written(open_many(rows[:limit].iterator(chunk_size=ROWS_AT_ONCE))))
            following = rows.values_list("sequence", flat=True)[limit : limit + 1]
            answer = HttpResponse(body, content_type=media_type)
            for sequence in following:
                parameters = request.query_params.copy()
                parameters["from_sequence"] = str(sequence)
                answer["Link"] = f'<{request.path}?{parameters.urlencode()}>; rel="next"'
        name = f"audit-from-{query['from_sequence']}.{form}"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def _form(self, request: Request) -> tuple[str, str, Callable[[Iterable[OpenedEntry]], Iterator[bytes]]]:
        """Return the form that was asked for, its media type, and what writes it."""
        wanted = request.accepted_renderer
        form = self.query.get("format", "csv" if isinstance(wanted, TableRenderer) else "jsonl")
        if form == "csv":
            return form, CSV, as_table
        return form, OLDER_LINES if isinstance(wanted, OlderLinesRenderer) else LINES, as_lines


class AuditVerifierView(ApiView):
    """The program that verifies the log offline."""

    permission_classes = [AllowAny]
    open_under_ceiling = True
    renderer_classes = (JSONRenderer, ProgramRenderer)

    @extend_schema(
        operation_id="download_audit_verifier",
        tags=["Audit"],
        summary="Download finops_verify.py",
        description=(
            "One file of Python, which needs nothing but its standard library, for anybody: it verifies entries, "
            "proofs, the continuity of checkpoints and whole exports offline. Whoever does not trust this server takes "
            "it from the source code, where it is `apps/audit/finops_verify.py`."
        ),
        auth=[],
        responses={(200, PYTHON): OpenApiTypes.STR},
    )
    def get(self, _request: Request) -> HttpResponse:
        answer = HttpResponse(VERIFIER.read_bytes(), content_type=PYTHON)
        answer["Content-Disposition"] = f'attachment; filename="{VERIFIER.name}"'
        return answer


def _matching(view: TenantView) -> QuerySet[AuditEntry]:
    """Return the tenant's entries that match the filters in a view's query."""
    query = view.query
    return selectors.entries_for(
        tenant_id=view.tenant_id,
        action=query.get("action"),
        actor_id=query.get("actor"),
        target_type=query.get("target_type"),
        target_id=query.get("target_id"),
        since=query.get("since"),
        until=query.get("until"),
    )
