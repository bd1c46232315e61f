"""What an audit leaf commits to.

Anyone can recompute it from an entry of `GET /audit/entries`: drop `sequence`, `leaf_hash` and `salts`, take out of
`actor` and `changes` the members that `personal` says are sealed, take the RFC 8785 bytes of the rest, and hash them as
an RFC 9162 leaf. What is sealed is checked by itself: see `apps.audit.sealing`.
"""

from typing import Any

from apps.audit import merkle
from apps.audit.models import AuditEntry
from apps.core.canonical import canonical_plain, jsonable


def leaf_content(entry: AuditEntry) -> dict[str, Any]:
    """Return the entry's content as plain JSON data, which actor, changes and personal parts are already."""
    return {
        "id": str(entry.id),
        "tenant_id": None if entry.tenant_id is None else str(entry.tenant_id),
        "schema_version": entry.schema_version,
        "action": entry.action,
        "actor": entry.actor,
        "target": {"type": entry.target_type, "id": entry.target_id},
        "changes": entry.changes,
        "personal": entry.personal,
        "request_id": entry.request_id,
        "traceparent": entry.traceparent,
        "at": jsonable(entry.at),
    }


def compute_leaf_hash(entry: AuditEntry) -> bytes:
    """Return SHA-256(0x00 || RFC 8785 JSON of the content)."""
    return merkle.leaf_hash(canonical_plain(leaf_content(entry)))
