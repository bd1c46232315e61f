"""Proves the audit log: nothing is missing from it, and nothing in it was changed."""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.audit.batch_check import walk_batches
from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry
from apps.audit.services import AUDIT_LOG
from apps.audit.walking import CHANGED, walk_tree
from apps.core.scope import snapshot_scope
from apps.core.sequence_check import walk_sequences
from apps.core.verification import BATCH_ROWS, Check, Finding, Over, Seen, Subject, register

_PROBLEM = _("An entry is not what its leaf hash commits to.")


def _walk_leaves(subject: Subject) -> Iterator[Seen | Finding]:
    after = UUID(int=0)
    while True:
        with snapshot_scope():
            of_subject = AuditEntry.objects.filter(tenant_id=subject.tenant_id, id__gt=after)
            entries = list(of_subject.order_by("id")[:BATCH_ROWS])
        yield Seen(len(entries))
        yield from filter(None, map(_altered, entries))
        if len(entries) < BATCH_ROWS:
            return
        after = entries[-1].id


def _altered(entry: AuditEntry) -> Finding | None:
    stored, computed = bytes(entry.leaf_hash).hex(), compute_leaf_hash(entry).hex()
    if stored == computed:
        return None
    return Finding("audit_entry", str(entry.id), _PROBLEM, f"leaf hash {computed}", f"leaf hash {stored}", CHANGED)


def _walk_tree(subject: Subject) -> Iterator[Seen | Finding]:
    return walk_tree(subject.tenant_id)


register(
    Check(
        "audit.sequence",
        _("The audit log is complete"),
        _("Every log, the installation's own too, has gapless sequences that end where its counter says."),
        _("entries"),
        partial(walk_sequences, AUDIT_LOG),
        Over.BOTH,
    ),
    Check(
        "audit.leaves",
        _("No audit entry was changed"),
        _("Each entry's leaf hash, computed again from what the entry says now, is the one that was stored."),
        _("entries"),
        _walk_leaves,
        Over.BOTH,
    ),
    Check(
        "audit.tree",
        _("Every log is the one that was signed"),
        _(
            "Leaf hashes, tiles and roots of each log's tree lead to every checkpoint, each checkpoint is signed "
            "by a key that is known, and what was covered is still there."
        ),
        _("leaves"),
        _walk_tree,
        Over.BOTH,
    ),
    Check(
        "audit.batches",
        _("Batches hold the rows that their leaves commit to"),
        _("What is kept of each batch's rows leads to the root and the count in its leaf; nothing else is kept."),
        _("rows"),
        walk_batches,
    ),
)
