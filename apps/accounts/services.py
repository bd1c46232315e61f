"""Changes that no sync makes: the client's own words about a transaction, and the end of a connection's accounts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from apps.accounts.enums import AccountStatus, TransactionStatus
from apps.accounts.errors import TransactionRemoved
from apps.accounts.events import ACCOUNT_UPDATED, TRANSACTION_UPDATED, account_event, transaction_event
from apps.accounts.models import Account, Transaction
from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.errors import NotFound, VersionConflict
from apps.core.scope import write_scope
from apps.core.unset import UNSET, Unset
from apps.outbox import services as outbox
from apps.providers.models import Connection


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
        NotFound: the actor's tenant has no such transaction.
        VersionConflict: it has another version than expected.
        TransactionRemoved: the provider no longer shows it.
    """
    with write_scope(actor):
        row = _lock(transaction_id)
        if expected_version is not None and row.version != expected_version:
            raise VersionConflict
        if row.status == TransactionStatus.REMOVED:
            raise _removed(row)
        changes = _change(row, category, note)
        if not changes:
            return row
        row.version, row.updated_at = row.version + 1, now
        row.save(update_fields=["category_override", "note", "version", "updated_at"])
        audit.record(
            action=TRANSACTION_UPDATED,
            actor=actor,
            target_type="transaction",
            target_id=row.id,
            now=now,
            changes=changes,
        )
        outbox.emit_many([transaction_event(TRANSACTION_UPDATED, row)], actor=actor, now=now)
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
            account.version, account.updated_at = account.version + 1, now
            account.save(update_fields=["status", "version", "updated_at"])
            audit.record(
                action=ACCOUNT_UPDATED,
                actor=actor,
                target_type="account",
                target_id=account.id,
                now=now,
                changes={"status": [before, account.status]},
            )
            closed.append(account_event(ACCOUNT_UPDATED, account))
        outbox.emit_many(closed, actor=actor, now=now)


def _lock(transaction_id: UUID) -> Transaction:
    row = Transaction.objects.select_for_update().filter(id=transaction_id).first()
    if row is None:
        raise NotFound
    return row


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
