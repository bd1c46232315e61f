"""Changes that no sync makes: the client's words about a transaction, the end of accounts, grants of single objects."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.enums import AccountStatus, TransactionStatus
from apps.accounts.errors import AlreadyGranted, NotGrantable, TransactionRemoved
from apps.accounts.events import (
    ACCOUNT_UPDATED,
    GRANT_CREATED,
    GRANT_REVOKED,
    TRANSACTION_UPDATED,
    account_event,
    grant_event,
    transaction_event,
)
from apps.accounts.models import Account, ObjectGrant, Transaction
from apps.accounts.rows import account_bytes, transaction_bytes
from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.conditions import Resource
from apps.core.db.finding import get_one
from apps.core.db.violations import translate_violations
from apps.core.decisions import require_conditions
from apps.core.errors import NotFound
from apps.core.permissions import ACCOUNT, GRANTABLE, Permission
from apps.core.scope import write_scope
from apps.core.unset import UNSET, Unset
from apps.outbox import services as outbox
from apps.providers.models import Connection
from apps.tenants.errors import RoleExceedsGranter
from apps.tenants.selectors import get_member
from apps.tenants.services.authority import lock_members


def annotate_transaction(
    *,
    transaction_id: UUID,
    category: str | Unset = UNSET,
    note: str | Unset = UNSET,
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> Transaction:
    """Set the client's category and note; an empty category shows the provider's again.

    Saying what is already so changes nothing and leaves no record.

    Raises:
        NotFound: the actor's tenant has no such transaction, or they may not annotate those of its account.
        ConditionFailed: see the class.
        VersionConflict: it has another version than expected.
        TransactionRemoved: the provider no longer shows it.
    """
    with write_scope(actor):
        row = get_one(Transaction.objects.select_for_update().filter(id=transaction_id))
        resource = Resource(type="transaction", id=row.id, account_id=row.account_id)
        require_conditions(actor, Permission.TRANSACTIONS_WRITE, resource, now=now)
        row.require_version(expected_version)
        if row.status == TransactionStatus.REMOVED:
            raise _removed(row)
        changes = _change(row, category, note)
        if not changes:
            return row
        row.save_next("category_override", "note", now=now)
        audit.record_batch(
            action=TRANSACTION_UPDATED,
            actor=actor,
            target_type="transaction",
            target_id=row.id,
            now=now,
            rows=[(str(row.id), transaction_bytes(TRANSACTION_UPDATED, row, status=row.status))],
            summary=changes,
        )
        outbox.emit(transaction_event(TRANSACTION_UPDATED, row), actor=actor, now=now)
        return row


def close_accounts(connection: Connection, actor: Actor, now: datetime) -> None:
    """Close the accounts of a locked connection that goes for good: nothing will read them any more.

    Balances and holdings stay as they were last told; each account has its leaf and its event.
    """
    with write_scope(actor):
        # Not FOR UPDATE, which an order that is being placed would hold up: it refers to its account.
        rows = Account.objects.select_for_update(no_key=True).filter(tenant_id=connection.tenant_id)
        rows = rows.filter(connection=connection).exclude(status=AccountStatus.CLOSED).order_by("id")
        closed = []
        for account in rows:
            before, account.status = account.status, AccountStatus.CLOSED
            account.save_next("status", now=now)
            audit.record_batch(
                action=ACCOUNT_UPDATED,
                actor=actor,
                target_type="account",
                target_id=account.id,
                now=now,
                rows=[(str(account.id), account_bytes(ACCOUNT_UPDATED, account))],
                summary={"status": [before, account.status]},
            )
            closed.append(account_event(ACCOUNT_UPDATED, account))
        outbox.emit_many(closed, actor=actor, now=now)


def _removed(row: Transaction) -> TransactionRemoved:
    successors = Transaction.objects.filter(tenant_id=row.tenant_id, replaces_id=row.id)
    successor = successors.exclude(status=TransactionStatus.REMOVED).order_by("-id").first()
    return TransactionRemoved(replaced_by=successor and successor.id)


def _change(row: Transaction, category: str | Unset, note: str | Unset) -> dict[str, Any]:
    """Take over the given values; return the audit's {field: [before, after]} of what differs."""
    given = {"category_override": category, "note": note}
    changes = {}
    for name, value in given.items():
        before = getattr(row, name)
        if not isinstance(value, Unset) and value != before:
            setattr(row, name, value)
            changes[name.removesuffix("_override")] = [before, value]
    return changes


def grant_object(
    *, member_id: UUID, permission: str, object_type: str, object_id: UUID, actor: Actor, now: datetime
) -> ObjectGrant:
    """Let a member use a permission upon one account, or one connection and its accounts, from their next request on.

    Raises:
        NotFound: the actor's tenant has no such member, account or connection.
        PermissionMissing: the actor may not handle members any more.
        RoleExceedsGranter: the actor does not hold the permission for all of the tenant themselves.
        NotGrantable, AlreadyGranted: see the classes.
    """
    with write_scope(actor):
        authority = lock_members(actor)
        member = get_member(member_id)
        if object_type not in GRANTABLE.get(Permission(permission), ()):
            raise NotGrantable
        if authority.lacks([permission], {}):
            raise RoleExceedsGranter(_("You do not have: %(scopes)s") % {"scopes": permission})
        model = Account if object_type == ACCOUNT else Connection
        if not model.objects.filter(id=object_id).exists():
            raise NotFound
        grant = ObjectGrant(tenant_id=member.tenant_id, member=member, permission=permission, created_at=now)
        setattr(grant, f"{object_type}_id", object_id)
        grant.granted_by = actor.label
        with translate_violations({"accounts_objectgrant_once": AlreadyGranted()}):
            grant.save(force_insert=True)
        _tell_of(grant, GRANT_CREATED, actor, now)
        return grant


def revoke_grant(*, member_id: UUID, grant_id: UUID, reason: str = "", actor: Actor, now: datetime) -> None:
    """Take a permission for a single object back from a member, also while writing is switched off.

    Raises:
        NotFound: the actor's tenant has no such member, or they no such grant.
        PermissionMissing: the actor may not handle members any more.
    """
    with write_scope(actor, even_if_read_only=True):
        lock_members(actor)
        grant = get_one(ObjectGrant.objects.filter(id=grant_id, member_id=member_id))
        _tell_of(grant, GRANT_REVOKED, actor, now, reason)
        ObjectGrant.objects.filter(id=grant.id).delete()


def _tell_of(grant: ObjectGrant, action: str, actor: Actor, now: datetime, reason: str = "") -> None:
    event = grant_event(action, grant)
    is_new = action == GRANT_CREATED
    told = {name: getattr(grant, name) for name in ("member_id", "permission", "object_type", "object_id")}
    changes = {name: [None, value] if is_new else [value, None] for name, value in told.items()}
    changes |= {"reason": [None, reason]} if reason else {}
    audit.record(action=action, actor=actor, target_type="grant", target_id=grant.id, now=now, changes=changes)
    outbox.emit(event, actor=actor, now=now)
