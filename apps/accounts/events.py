"""Names and payloads of what happens to accounts and transactions. A name is audit action and event type alike."""

from datetime import date as calendar_date
from typing import Annotated, Any, TypedDict
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.accounts.enums import AccountKind, AccountMode, AccountStatus, TransactionStatus
from apps.accounts.models import Account, ObjectGrant, Transaction
from apps.core.money import plain
from apps.outbox.catalogue import define
from apps.outbox.payloads import Instant, PlainDecimal, says
from apps.outbox.types import NewEvent


class BalanceData(TypedDict):
    """An account's balances, in its currency."""

    ours: Annotated[PlainDecimal, says("What our transactions add up to.", "1204.5")]
    provider: Annotated[PlainDecimal | None, says("What the provider says.", "1204.5")]
    drift: Annotated[PlainDecimal | None, says("The provider's minus ours: what one side has and the other not.", "0")]
    available: Annotated[PlainDecimal | None, says("What the provider lets be spent.", "1154.5")]
    as_of: Annotated[Instant | None, says("When the provider said so.", "2026-03-02T14:30:00Z")]


class AccountData(TypedDict):
    """An account at a provider."""

    id: Annotated[UUID, says("The account.")]
    connection_id: Annotated[UUID, says("The connection that it is read through.")]
    provider: Annotated[str, says("The provider that holds it.", "teller")]
    external_id: Annotated[str, says("What the provider calls it.", "acc_oiin624kqjrg2mp2ea000")]
    name: Annotated[str, says("What it is called.", "Everyday checking")]
    kind: Annotated[str, says("What it is.", one_of=AccountKind.values)]
    subtype: Annotated[str, says("What the provider calls its kind, where it says.", "checking")]
    mode: Annotated[str, says("Whether it holds real money.", one_of=AccountMode.values)]
    currency: Annotated[str, says("What it is kept in.", "USD")]
    last_four: Annotated[str, says("The end of its number, where the provider tells.", "4321")]
    institution: Annotated[str, says("The house that keeps it, where the provider tells.", "First Bank")]
    balance: Annotated[BalanceData, says("What is on it.")]
    status: Annotated[str, says("Whether it can be read.", one_of=AccountStatus.values)]
    version: Annotated[int, says("It grows with each change.")]
    created_at: Annotated[Instant, says("When it was found.")]
    updated_at: Annotated[Instant, says("When it last changed.")]


class TransactionData(TypedDict):
    """A transaction on an account."""

    id: Annotated[UUID, says("The transaction.")]
    account_id: Annotated[UUID, says("Its account.")]
    external_id: Annotated[str, says("What the provider calls it.", "txn_oiluj93igokseo0i3a000")]
    amount: Annotated[PlainDecimal, says("Negative is money out.", "-12.3")]
    currency: Annotated[str, says("What the amount is in.", "USD")]
    date: Annotated[calendar_date, says("The day that the provider counts it to.")]
    description: Annotated[str, says("What the provider says of it.", "COFFEE HOUSE 0042")]
    counterparty: Annotated[str | None, says("Who gave or took the money, where it is told.", "Coffee House")]
    category: Annotated[str | None, says("The client's category, or else the provider's.", "dining")]
    note: Annotated[str | None, says("What the client has noted.")]
    status: Annotated[str, says("Whether it counts.", "posted", one_of=TransactionStatus.values)]
    replaces: Annotated[UUID | None, says("The pending one that this one took the place of.")]
    version: Annotated[int, says("It grows with each change.")]
    created_at: Annotated[Instant, says("When it was first read.")]
    updated_at: Annotated[Instant, says("When it last changed.")]


class GrantData(TypedDict):
    """A permission for one object."""

    id: Annotated[UUID, says("The grant.")]
    member_id: Annotated[UUID, says("The member that has it.")]
    permission: Annotated[str, says("What is permitted.", "accounts:read")]
    object_type: Annotated[str, says("What kind of object it is for.", "account")]
    object_id: Annotated[UUID, says("The object.")]


ACCOUNT_CREATED = define("account.created", AccountData, _("An account was found at a provider."))
# Exactly when the account's version grows: its description, its status or one of its balances has changed. That it
# was read again is no event.
ACCOUNT_UPDATED = define("account.updated", AccountData, _("An account's description, status or balance has changed."))
TRANSACTION_CREATED = define("transaction.created", TransactionData, _("A transaction was added to an account."))
TRANSACTION_UPDATED = define("transaction.updated", TransactionData, _("A transaction has changed."))
TRANSACTION_REMOVED = define("transaction.removed", TransactionData, _("A provider no longer shows a transaction."))
# Holdings change with every fill and every price: they have rows in the sync's leaf when a quantity or what was paid
# for it changes, and no events. What a client did is told by its order's events, what it did to money by the account's.
HOLDING_CREATED = "holding.created"
HOLDING_UPDATED = "holding.updated"
HOLDING_REMOVED = "holding.removed"
# The audit action of a whole sync: one leaf that commits to every account, transaction and holding that it wrote.
ACCOUNTS_SYNCED = "accounts.synced"

GRANT_CREATED = define(
    "grant.created", GrantData, _("A member was granted a permission for a single account or connection.")
)
GRANT_REVOKED = define(
    "grant.revoked", GrantData, _("A member's permission for a single account or connection was taken back.")
)


def grant_event(type_: str, grant: ObjectGrant) -> NewEvent:
    """Build the event of a permission that a member has, or had, for a single object."""
    data: GrantData = {
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


def account_data(account: Account) -> AccountData:
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


def transaction_data(row: Transaction) -> TransactionData:
    """Return a transaction in the API's shape."""
    return transaction_shape(row, amount=plain(row.amount), created_at=row.created_at, updated_at=row.updated_at)


def transaction_shape(row: Any, *, amount: str, created_at: Any, updated_at: Any) -> TransactionData:
    """Return the API's shape of a transaction, or of a row with its plain columns; times may be text already."""
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
