"""Names and payloads of what happens to transactions. A name is the audit action and the event type alike."""

from typing import Any

from apps.accounts.models import Transaction
from apps.core.money import plain
from apps.outbox.types import NewEvent

TRANSACTION_CREATED = "transaction.created"
TRANSACTION_UPDATED = "transaction.updated"
TRANSACTION_REMOVED = "transaction.removed"
# The audit action of a whole batch: one leaf that commits to every row that a sync wrote.
TRANSACTIONS_SYNCED = "transactions.synced"


def transaction_event(type_: str, row: Transaction) -> NewEvent:
    """Build the event of one transaction; its data is what the API shows of it."""
    return NewEvent(type=type_, entity_type="transaction", entity_id=row.id, data=transaction_data(row))


def transaction_data(row: Transaction) -> dict[str, Any]:
    """Return a transaction in the API's shape."""
    return {
        "id": row.id,
        "account_id": row.account_id,
        "external_id": row.external_id,
        "amount": plain(row.amount),
        "currency": row.currency,
        "date": row.date,
        "description": row.description,
        "counterparty": row.counterparty or None,
        "category": row.category or None,
        "note": row.note or None,
        "status": row.status,
        "replaces": row.replaces_id,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
