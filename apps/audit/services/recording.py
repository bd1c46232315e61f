"""Writing the audit log. Every service calls `record` in the transaction of its change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audit import merkle
from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry
from apps.core import context
from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.db.statements import Statement, insert
from apps.core.redaction import redact
from apps.core.scope import current_scope, request_wake


def record(
    *,
    action: str,
    actor: Actor,
    target_type: str,
    target_id: UUID | str,
    now: datetime,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Write one leaf into the log of the actor's tenant, or without a tenant into the installation's own.

    `changes` is {"field": [before, after]}; secrets in it are masked. A tenant's leaf needs that tenant's
    write scope, the installation's a staff scope.

    Raises:
        RuntimeError: the open scope is not the actor's; a programming error.
    """
    record_statement(
        action=action, actor=actor, target_type=target_type, target_id=target_id, now=now, changes=changes
    ).execute()


def record_statement(
    *,
    action: str,
    actor: Actor,
    target_type: str,
    target_id: UUID | str,
    now: datetime,
    changes: Mapping[str, Any] | None = None,
) -> Statement:
    """Return the statement that `record` would run, for a service that sends all of its rows at once."""
    scope = current_scope()
    # Only a tenant can be switched to read-only; the installation's log has no write scope.
    writable = scope is not None and (scope.writable or actor.tenant_id is None)
    if scope is None or not writable or scope.tenant_id != actor.tenant_id:
        raise RuntimeError(f"{action} is recorded outside of its actor's write scope")
    entry = new_entry(
        action=action, actor=actor, target_type=target_type, target_id=target_id, now=now, changes=changes
    )
    request_wake("audit")
    return insert(entry)


def new_entry(
    *,
    action: str,
    actor: Actor,
    target_type: str,
    target_id: UUID | str,
    now: datetime,
    changes: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Return a leaf that is not written yet."""
    entry = AuditEntry(
        tenant_id=actor.tenant_id,
        action=action,
        actor=actor.as_json(),
        actor_id=actor.user_id or actor.api_key_id,
        target_type=target_type,
        target_id=str(target_id),
        changes=redact(jsonable(changes or {})),
        request_id=actor.request_id,
        traceparent=context.current().traceparent,
        at=now,
    )
    entry.leaf_hash = compute_leaf_hash(entry)
    return entry


def record_batch(
    *,
    action: str,
    actor: Actor,
    target_type: str,
    target_id: UUID | str,
    now: datetime,
    rows: Sequence[bytes],
    summary: Mapping[str, Any],
) -> None:
    """Write one leaf for a whole batch: it commits to the RFC 9162 Merkle root of `rows` and their count.

    `rows` are each row's canonical bytes, in an order that can be reproduced. `summary` stands in `changes`
    beside `batch: {count, merkle_root}`.
    """
    batch = {"count": len(rows), "merkle_root": merkle.root_of_rows(rows).hex()}
    record(
        action=action,
        actor=actor,
        target_type=target_type,
        target_id=target_id,
        now=now,
        changes={**summary, "batch": batch},
    )
