"""Names and payloads of what happens to accounts and transactions. A name is audit action and event type alike."""

from datetime import datetime
from typing import Any

from apps.accounts.models import Account, ObjectGrant, Transaction
from apps.core.money import plain
from apps.outbox.types import NewEvent

ACCOUNT_CREATED = "account.created"
# Exactly when the account's version grows: its description, its status or one of its balances has changed. That it
# was read again is no event.
ACCOUNT_UPDATED = "account.updated"
TRANSACTION_CREATED = "transaction.created"
TRANSACTION_UPDATED = "transaction.updated"
TRANSACTION_REMOVED = "transaction.removed"
# Holdings change with every fill and every price: they have rows in the sync's leaf when a quantity or what was paid
# for it changes, and no events. What a client did is told by its order's events, what it did to money by the account's.
HOLDING_CREATED = "holding.created"
HOLDING_UPDATED = "holding.updated"
HOLDING_REMOVED = "holding.removed"
# The audit action of a whole sync: one leaf that commits to every account, transaction and holding that it wrote.
ACCOUNTS_SYNCED = "accounts.synced"

GRANT_CREATED = "grant.created"
GRANT_REVOKED = "grant.revoked"


def grant_event(type_: str, grant: ObjectGrant) -> NewEvent:
    """Build the event of a permission that a member has, or had, for a single object."""
    data = {
        "id": grant.id,
        "member_id": grant.member_id,
        "permission": grant.permission,
        "object_type": grant.object_type,
        "object_id": grant.object_id,
    }
    return NewEvent(type=type_, entity_type="grant", entity_id=grant.id, data=data)


def account_event(type_: str, account: Account) -> NewEvent:
    """Build the event of one account; its data is what the API shows of it."""
    return NewEvent(type=type_, entity_type="account", entity_id=account.id, data=account_data(account))


def account_data(account: Account) -> dict[str, Any]:
    """Return an account in the API's shape."""
    provider, available, drift = account.provider_balance, account.provider_available, account.drift
    return {
        "id": account.id,
        "connection_id": account.connection_id,
        "provider": account.provider,
        "external_id": account.external_id,
        "name": account.name,
        "kind": account.kind,
        "subtype": account.subtype,
        "mode": account.mode,
        "currency": account.currency,
        "last_four": account.last_four,
        "institution": account.institution,
        "balance": {
            "ours": plain(account.our_balance),
            "provider": None if provider is None else plain(provider),
            "drift": None if drift is None else plain(drift),
            "available": None if available is None else plain(available),
            "as_of": account.provider_balance_as_of,
        },
        "status": account.status,
        "version": account.version,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    }


def transaction_event(type_: str, row: Transaction) -> NewEvent:
    """Build the event of one transaction; its data is what the API shows of it."""
    return NewEvent(type=type_, entity_type="transaction", entity_id=row.id, data=transaction_data(row))


def transaction_data(row: Transaction) -> dict[str, Any]:
    """Return a transaction in the API's shape."""
    return transaction_shape(row, amount=plain(row.amount), created_at=row.created_at, updated_at=row.updated_at)


def transaction_shape(
    row: Any, *, amount: str, created_at: datetime | str, updated_at: datetime | str
) -> dict[str, Any]:
    """Return the API's shape of a transaction, or of a row with its plain columns."""
    return {
        "id": row.id,
        "account_id": row.account_id,
        "external_id": row.external_id,
        "amount": amount,
        "currency": row.currency,
        "date": row.date,
        "description": row.description,
        "counterparty": row.counterparty or None,
        "category": row.category_override or row.provider_category or None,
        "note": row.note or None,
        "status": row.status,
        "replaces": row.replaces_id,
        "version": row.version,
        "created_at": created_at,
        "updated_at": updated_at,
    }
