"""Reads of accounts, transactions and holdings. Call them inside the tenant's scope."""

from datetime import date
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL

from apps.accounts.enums import AccountStatus, TransactionStatus
from apps.accounts.models import Account, Holding, ObjectGrant, Transaction
from apps.core.db.finding import get_one
from apps.core.scope import of_granted_accounts
from apps.market.models import Listing
from apps.tenants.selectors import get_member

# A set-returning function in FROM is evaluated once; the tenant comes from the scope inside of it.
_SEARCH = "SELECT id FROM accounts_search_transactions(%s) AS id"


def accounts_for(*, tenant_id: UUID) -> QuerySet[Account]:
    """Return the tenant's accounts."""
    return Account.objects.filter(tenant_id=tenant_id)


def get_account(*, tenant_id: UUID, account_id: UUID) -> Account:
    """Return one account.

    Raises:
        NotFound: the tenant has no such account.
    """
    return get_one(accounts_for(tenant_id=tenant_id).filter(id=account_id))


def transactions_for(
    *,
    tenant_id: UUID,
    account_id: UUID | None = None,
    since: date | None = None,
    until: date | None = None,
    status: str | None = None,
    search: str | None = None,
) -> QuerySet[Transaction]:
    """Return the tenant's transactions, narrowed down; dates are inclusive.

    Removed ones are left out unless `status` asks for them. `search` finds text, whatever its case, in description,
    counterparty and note.
    """
    rows = of_granted_accounts(Transaction.objects.filter(tenant_id=tenant_id))
    rows = rows.filter(status=status) if status else rows.exclude(status=TransactionStatus.REMOVED)
    if account_id:
        rows = rows.filter(account_id=account_id)
    if since:
        rows = rows.filter(date__gte=since)
    if until:
        rows = rows.filter(date__lte=until)
    if search:
        rows = rows.filter(id__in=RawSQL(_SEARCH, [search]))  # noqa: S611  (the term is a parameter)
    return rows


def get_transaction(*, tenant_id: UUID, transaction_id: UUID) -> Transaction:
    """Return one transaction, removed ones too.

    Raises:
        NotFound: the tenant has no such transaction.
    """
    return get_one(Transaction.objects.filter(tenant_id=tenant_id, id=transaction_id))


def holdings_for(*, tenant_id: UUID, account_id: UUID | None = None) -> QuerySet[Holding]:
    """Return what the tenant's accounts hold, with `currency` and, where their venue lists it, `instrument_key`.

    What closed accounts held last is left out unless `account_id` asks for it.
    """
    listed = Listing.objects.filter(venue=OuterRef("account__provider"), external_id=OuterRef("external_id"))
    rows = Holding.objects.filter(tenant_id=tenant_id).annotate(
        currency=F("account__currency"), instrument_key=Subquery(listed.values("instrument__key")[:1])
    )
    if account_id:
        return rows.filter(account_id=account_id)
    return rows.exclude(account__status=AccountStatus.CLOSED)


def grants_of(*, tenant_id: UUID, member_id: UUID) -> QuerySet[ObjectGrant]:
    """Return what a member was granted for single objects.

    Raises:
        NotFound: the tenant has no such member.
    """
    get_member(member_id)
    return ObjectGrant.objects.filter(tenant_id=tenant_id, member_id=member_id)
