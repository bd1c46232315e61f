"""Keeps the accounts of a connection as the provider shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.accounts.enums import AccountStatus
from apps.accounts.models import Account
from apps.accounts.types import AccountReading, ConnectionReading
from apps.providers.models import Connection


@dataclass(slots=True)
class AccountBook:
    """The accounts of one sync by external id; `first_reads` are those whose rows are read for the first time."""

    accounts: dict[str, Account]
    first_reads: set[UUID] = field(default_factory=set)
    before: dict[UUID, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """The accounts that a sync added, those whose version it raised, and whichever it fixed the opening of; by id."""

    created: list[Account] = field(default_factory=list)
    updated: list[Account] = field(default_factory=list)
    opened: list[Account] = field(default_factory=list)


_DESCRIPTION = ("name", "kind", "subtype", "currency", "last_four", "institution", "status")
_BALANCES = ("provider_balance", "provider_available", "opening_balance", "posted_total")
# That an account was read again is no change of the account.
_PROGRESS = ("provider_balance_as_of", "first_read_at", "fully_read_at")


def open_accounts(
    connection: Connection, reading: ConnectionReading, new_ids: Mapping[str, UUID], *, now: datetime
) -> AccountBook:
    """Lock the connection's accounts, add the new ones and take over what the provider says of each."""
    known = Account.objects.select_for_update().filter(tenant_id=connection.tenant_id, connection=connection)
    book = AccountBook({account.external_id: account for account in known.order_by("id")})
    book.before = {account.id: _values(account) for account in book.accounts.values()}
    for account_reading in reading.accounts:
        external_id = account_reading.data.external_id
        account = book.accounts.get(external_id)
        if account is None:
            account = book.accounts[external_id] = _new(connection, account_reading, new_ids[external_id], now)
        _describe(account, account_reading)
        if account._state.adding:
            account.save(force_insert=True)
        if account_reading.rows is not None and account.first_read_at is None:
            book.first_reads.add(account.id)
    if reading.lists_all:
        _mark_missing(book, reading)
    return book


def close_book(
    book: AccountBook, readings: Mapping[UUID, AccountReading], posted: Mapping[UUID, Decimal], *, now: datetime
) -> AccountChanges:
    """Take over the balances, fix openings, and save; return the accounts that changed by it or by `open_accounts`."""
    changes = AccountChanges()
    for account in sorted(book.accounts.values(), key=lambda account: account.id):
        account.posted_total += posted.get(account.id, Decimal(0))
        reading, had_opening = readings.get(account.id), account.opening_balance is not None
        if reading is not None:
            _take_balance(account, reading, now)
        if account.opening_balance is not None and not had_opening:
            changes.opened.append(account)
        if _values(account) != book.before.get(account.id):
            is_new = account.id not in book.before
            account.version += not is_new
            account.updated_at = now
            (changes.created if is_new else changes.updated).append(account)
        account.save(update_fields=[*_DESCRIPTION, *_BALANCES, *_PROGRESS, "version", "updated_at"])
    return changes


def _new(connection: Connection, reading: AccountReading, account_id: UUID, now: datetime) -> Account:
    return Account(
        id=account_id,
        tenant_id=connection.tenant_id,
        connection=connection,
        provider=connection.provider,
        external_id=reading.data.external_id,
        mode=reading.data.mode,
        created_at=now,
        updated_at=now,
    )


def _describe(account: Account, reading: AccountReading) -> None:
    data = reading.data
    account.name, account.kind, account.subtype = data.name[:200], data.kind, data.subtype[:40]
    account.currency, account.last_four = data.currency, data.last_four[:4]
    account.institution = data.institution_name[:200]
    if reading.is_closed:
        account.status = AccountStatus.CLOSED
    elif reading.is_out_of_reach:
        account.status = AccountStatus.NEEDS_ATTENTION
    else:
        account.status = AccountStatus.OPEN


def _mark_missing(book: AccountBook, reading: ConnectionReading) -> None:
    """Mark the accounts that the provider no longer lists, unless it listed them in a row that did not map."""
    listed = {item.data.external_id for item in reading.accounts} | reading.refused_accounts
    for external_id, account in book.accounts.items():
        if external_id not in listed and account.status == AccountStatus.OPEN:
            account.status = AccountStatus.NEEDS_ATTENTION


def _take_balance(account: Account, reading: AccountReading, now: datetime) -> None:
    if reading.rows is not None:
        account.first_read_at = account.first_read_at or now
        if reading.since is None:
            account.fully_read_at = now
    if reading.balance is None or reading.balance.current is None:
        return
    account.provider_balance, account.provider_available = reading.balance.current, reading.balance.available
    account.provider_balance_as_of = reading.balance_as_of
    if account.opening_balance is None:
        account.opening_balance = account.provider_balance - account.posted_total


def _values(account: Account) -> tuple[Any, ...]:
    """Return what makes a new version when it changes."""
    return tuple(getattr(account, name) for name in (*_DESCRIPTION, *_BALANCES))
