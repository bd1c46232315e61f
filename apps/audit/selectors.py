"""Reading the audit log of a tenant, and what proves it. The log of `tenant_id` None is the installation's."""

from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import F, Max, Min, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from apps.audit import batches, tree
from apps.audit.errors import NotInCheckpointYet
from apps.audit.merkle import consistency_path, inclusion_path
from apps.audit.models import AuditCheckpoint, AuditCounter, AuditEntry, CheckpointKey
from apps.audit.notes import VerifierKey
from apps.audit.types import ConsistencyProof, InclusionProof, PublicKey, RowProof, Trees
from apps.core.db.finding import get_one
from apps.core.errors import NotFound, ValidationFailed


def entries_for(
    *,
    tenant_id: UUID,
    action: str | None = None,
    actor_id: UUID | None = None,
    target_type: str | None = None,
    target_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Return the tenant's entries that match every filter given; `since` is inclusive, `until` exclusive."""
    filters = {
        "action": action,
        "actor_id": actor_id,
        "target_type": target_type,
        "target_id": target_id,
        "at__gte": since,
        "at__lt": until,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    return AuditEntry.objects.filter(tenant_id=tenant_id, **given)


def numbered_from(entries: QuerySet[AuditEntry], *, first: int) -> QuerySet[AuditEntry]:
    """Return those of the entries that have a place in the log from `first` on, in the log's order."""
    return entries.filter(sequence__gte=first).order_by("sequence")


def sequences_of(*, tenant_id: UUID, entry_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the places in the log of those of the entries that have got theirs."""
    rows = AuditEntry.objects.filter(tenant_id=tenant_id, id__in=entry_ids).values_list("id", "sequence")
    return {entry_id: sequence for entry_id, sequence in rows if sequence is not None}


def origin_of(tenant_id: UUID | None) -> str:
    """Return the name of a log: the first line of its checkpoints, and the name of the keys that sign them."""
    host = settings.AUDIT_NAME or urlsplit(settings.BASE_URL).netloc
    return f"{host}/audit/{tenant_id or 'installation'}"


def latest_checkpoint(tenant_id: UUID | None) -> AuditCheckpoint:
    """Return the newest checkpoint of a log.

    Raises:
        NotInCheckpointYet: it has none yet.
    """
    checkpoint = AuditCheckpoint.objects.filter(tenant_id=tenant_id).order_by("-size").first()
    if checkpoint is None:
        raise NotInCheckpointYet(retry_after=1)
    return checkpoint


def public_keys(tenant_id: UUID | None) -> list[PublicKey]:
    """Return the keys that have signed checkpoints, as a log's verifiers take them, the newest first."""
    rows = list(CheckpointKey.objects.order_by("-first_used_at", "-id"))
    replaced_at = [None, *[row.first_used_at for row in rows]]
    origin = origin_of(tenant_id)
    return [
        PublicKey(row.key_id, VerifierKey(origin, bytes(row.public_key)), row.first_used_at, until)
        for row, until in zip(rows, replaced_at, strict=False)
    ]


def prove_inclusion(*, tenant_id: UUID | None, entry_id: UUID, tree_size: int | None = None) -> InclusionProof:
    """Return the proof that an entry is in the tree of a size, by default that of the latest checkpoint.

    Raises:
        NotFound: the tenant has no such entry.
        NotInCheckpointYet: no checkpoint covers it yet.
        ValidationFailed: the log has no tree of this size, or the entry came later; `errors` names `tree_size`.
    """
    entry = get_one(AuditEntry.objects.filter(tenant_id=tenant_id, id=entry_id).only("sequence", "leaf_hash"))
    latest = latest_checkpoint(tenant_id).size
    if entry.sequence is None or entry.sequence > latest:
        raise NotInCheckpointYet(retry_after=1)
    size = latest if tree_size is None else tree_size
    _require(size <= latest, "tree_size", _("The latest checkpoint has %(size)s entries.") % {"size": latest})
    _require(entry.sequence <= size, "tree_size", _("The entry is not in a tree of this size; it came later."))
    index, leaf = entry.sequence - 1, bytes(entry.leaf_hash)
    *path, root = tree.read_ranges(tenant_id, size, [*inclusion_path(index, size), (0, size)])
    return InclusionProof(entry_id, index, size, leaf, path, root)


def prove_row(*, tenant_id: UUID, entry_id: UUID, row_id: UUID) -> RowProof:
    """Return the proof that a row is in the batch that an entry commits to.

    Raises:
        NotFound: the tenant has no such entry, it commits to no batch, or the batch has no such row.
    """
    entry = get_one(AuditEntry.objects.filter(tenant_id=tenant_id, id=entry_id).only("changes"))
    place = batches.find_row(tenant_id, entry_id, row_id)
    if place is None:
        raise NotFound
    batch, path = entry.changes["batch"], batches.read_path(tenant_id, entry_id, place)
    root = bytes.fromhex(batch["merkle_root"])
    return RowProof(entry_id, row_id, place.index, batch["count"], place.hashes[place.row], path, root)


def prove_consistency(*, tenant_id: UUID | None, older: int, newer: int | None = None) -> ConsistencyProof:
    """Return the proof that the log of a size begins with its tree of another, by default up to the latest checkpoint.

    Raises:
        NotInCheckpointYet: the log has no checkpoint yet.
        ValidationFailed: the log has no trees of these sizes; `errors` names `from` or `to`.
    """
    latest = latest_checkpoint(tenant_id).size
    size = latest if newer is None else newer
    _require(size <= latest, "to", _("The latest checkpoint has %(size)s entries.") % {"size": latest})
    _require(older <= size, "from", _("It is larger than `to`, %(size)s.") % {"size": size})
    spans = [*consistency_path(older, size), (0, older), (0, size)]
    *path, older_root, newer_root = tree.read_ranges(tenant_id, size, spans)
    return ConsistencyProof(older, size, path, older_root, newer_root)


def _require(holds: bool, field: str, message: str) -> None:
    if not holds:
        raise ValidationFailed(errors=[{"field": field, "code": "out_of_range", "message": message}])


def keys_known() -> list[bytes]:
    """Return the public halves of all keys that have signed checkpoints."""
    return [bytes(key) for key in CheckpointKey.objects.values_list("public_key", flat=True)]


def measure_trees(*, now: datetime) -> Trees:
    """Return how large the trees are and how far their checkpoints are behind; in a staff or system scope."""
    grown = Q(last_sequence__gt=F("checkpoint_size"))
    found = AuditCounter.objects.aggregate(
        entries=Sum("last_sequence"),
        largest=Max("last_sequence"),
        uncovered=Sum(F("last_sequence") - F("checkpoint_size")),
        since=Min("checkpoint_at", filter=grown),
    )
    lag = (now - found["since"]).total_seconds() if found["since"] else 0.0
    return Trees(found["entries"] or 0, found["largest"] or 0, found["uncovered"] or 0, max(lag, 0.0))
