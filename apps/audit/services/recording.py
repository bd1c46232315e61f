"""Writing the audit log. Every service calls `record` in the transaction of its change."""

from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from apps.audit import subject_keys
from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry
from apps.audit.sealing import seal
from apps.audit.types import Leaf, Personal
from apps.core import context
from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.db.statements import Statement, insert
from apps.core.ids import lowest_id
from apps.core.redaction import redact
from apps.core.scope import current_scope, request_wake

# What an actor's own words are; the rest are ids.
_PERSONAL_OF_ACTOR = frozenset({"label", "ip"})


def record(**leaf: Unpack[Leaf]) -> None:
    """Write one leaf into the log of the actor's tenant, or without a tenant into the installation's own.

    A tenant's leaf needs that tenant's write scope, the installation's a staff scope.

    Raises:
        RuntimeError: the open scope is not the actor's; a programming error.
    """
    record_statement(**leaf).execute()


def record_statement(**leaf: Unpack[Leaf]) -> Statement:
    """Return the statement that `record` would run, for a service that sends all of its rows at once."""
    require_scope(leaf["action"], leaf["actor"])
    return insertion(new_entry(**leaf))


def require_scope(action: str, actor: Actor) -> None:
    """Do nothing in a scope in which the actor's log may be written to.

    Raises:
        RuntimeError: another one is open, or none.
    """
    scope = current_scope()
    # Only a tenant can be switched to read-only; the installation's log has no write scope.
    writable = scope is not None and (scope.writable or actor.tenant_id is None)
    if scope is None or not writable or scope.tenant_id != actor.tenant_id:
        raise RuntimeError(f"{action} is recorded outside of its actor's write scope")


def insertion(entry: AuditEntry) -> Statement:
    """Return the statement that writes a leaf, and wake the sequencer when it has been committed."""
    request_wake("audit")
    return insert(entry)


def new_entry(**leaf: Unpack[Leaf]) -> AuditEntry:
    """Return a leaf that is not written yet; in a scope of its log, of which it may need a key."""
    actor, now = leaf["actor"], leaf["now"]
    acting = actor.as_json()
    entry = AuditEntry(
        tenant_id=actor.tenant_id,
        action=leaf["action"],
        actor=acting,
        actor_id=actor.user_id or actor.api_key_id,
        target_type=leaf["target_type"],
        target_id=str(leaf["target_id"]),
        changes=redact(jsonable(leaf.get("changes") or {})),
        request_id=actor.request_id,
        traceparent=context.current().traceparent,
        at=now,
    )
    entry.personal = _sealed_parts(entry, _take_personal(actor, acting, now), leaf.get("personal"))
    entry.leaf_hash = compute_leaf_hash(entry)
    return entry


def _take_personal(actor: Actor, acting: dict[str, Any], now: datetime) -> Personal | None:
    """Take what is personal out of the actor as stored, and return it; the platform's own parts are nobody."""
    if actor.kind == "system":
        return None
    # The address is that of whoever sat there. Visitors who are nobody yet share the key of their day.
    subject = actor.impersonator_id or actor.user_id or actor.api_key_id or visitors_of(now)
    return Personal(subject, {name: acting.pop(name) for name in _PERSONAL_OF_ACTOR & acting.keys()})


def visitors_of(now: datetime) -> UUID:
    """Return the data subject that stands for whoever is not known to be anybody on a day (UTC)."""
    return lowest_id(now.replace(hour=0, minute=0, second=0, microsecond=0))


def _sealed_parts(entry: AuditEntry, actor: Personal | None, changes: Personal | None) -> dict[str, Any]:
    parts = {}
    for name, personal in (("actor", actor), ("changes", changes)):
        if personal is not None and personal.changes:
            key = subject_keys.key_of(personal.subject, tenant_id=entry.tenant_id, now=entry.at)
            parts[name] = seal(jsonable(personal.changes), key=key, entry_id=entry.id, part=name)
    return parts
