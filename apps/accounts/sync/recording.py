"""Leaves the records of an applied sync: one audit leaf over all that it wrote, and the events of single rows."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from apps.accounts.enums import TransactionStatus
from apps.accounts.events import (
    ACCOUNT_CREATED,
    ACCOUNT_UPDATED,
    ACCOUNTS_SYNCED,
    HOLDING_CREATED,
    HOLDING_REMOVED,
    HOLDING_UPDATED,
    TRANSACTION_CREATED,
    TRANSACTION_REMOVED,
    TRANSACTION_UPDATED,
    account_event,
    transaction_event,
)
from apps.accounts.models import Transaction
from apps.accounts.rows import account_bytes, clients_words, encode, holding_bytes, transaction_bytes
from apps.accounts.sync.accounts import AccountChanges
from apps.accounts.sync.diff import ChangedRow, Difference, VanishedRow
from apps.accounts.sync.holdings import HoldingChanges
from apps.accounts.sync.staging import Staged, StagedRow
from apps.audit import services as audit
from apps.audit.services import BatchRow
from apps.core.actor import Actor
from apps.outbox import services as outbox
from apps.outbox.types import NewEvent


def batch_rows(
    staged: Staged,
    difference: Difference,
    inherited: Mapping[int, VanishedRow],
    accounts: AccountChanges,
    holdings: HoldingChanges,
) -> list[BatchRow]:
    """Return id and bytes of every row written: accounts by id, transactions by id, holdings by id.

    For the bytes, see `apps.accounts.rows`.
    """
    created = [(str(account.id), account_bytes(ACCOUNT_CREATED, account)) for account in accounts.created]
    updated = [(str(account.id), account_bytes(ACCOUNT_UPDATED, account)) for account in accounts.updated]
    rows = sorted([*created, *updated], key=itemgetter(0))
    return rows + _transactions(staged, difference, inherited) + _holdings(holdings)


def record(
    staged: Staged,
    difference: Difference,
    accounts: AccountChanges,
    holdings: HoldingChanges,
    *,
    rows: Sequence[BatchRow],
    first_reads: Set[UUID],
    run_id: UUID,
    actor: Actor,
    now: datetime,
) -> None:
    """Write the batch's leaf and the events of its rows; nothing at all when no row was written.

    The transactions of a first read have no events of their own: `connection.synced` stands for them.
    """
    if not rows:
        return
    summary: dict[str, list[Any]] = {
        "added": [None, len(difference.new)],
        "modified": [None, len(difference.changed)],
        "removed": [None, len(difference.vanished)],
        "accounts_added": [None, len(accounts.created)],
        "accounts_modified": [None, len(accounts.updated)],
    }
    held = {"added": holdings.created, "modified": holdings.updated, "removed": holdings.removed}
    summary |= {f"holdings_{what}": [None, len(changed)] for what, changed in held.items() if changed}
    if accounts.opened:
        # In the open: an account's later rows commit to whatever opening they find, and this one is fixed for good.
        summary["openings"] = [None, {account.id: account.opening_balance for account in accounts.opened}]
    audit.record_batch(
        action=ACCOUNTS_SYNCED,
        actor=actor,
        target_type="sync_run",
        target_id=run_id,
        now=now,
        rows=rows,
        summary=summary,
    )
    outbox.emit_many(_events(staged, difference, accounts, first_reads), actor=actor, now=now)


def _events(staged: Staged, difference: Difference, accounts: AccountChanges, first_reads: Set[UUID]) -> list[NewEvent]:
    events = [account_event(ACCOUNT_CREATED, account) for account in accounts.created]
    events += [account_event(ACCOUNT_UPDATED, account) for account in accounts.updated]
    types = _event_types(staged, difference, {str(account_id) for account_id in first_reads})
    written = Transaction.objects.in_bulk(list(types))
    return events + [transaction_event(type_, written[row_id]) for row_id, type_ in types.items()]


def _event_types(staged: Staged, difference: Difference, first_reads: Set[str]) -> dict[UUID, str]:
    """Return {row id: event type}: what vanished before what came, as a statement reads."""
    types = {row.id: TRANSACTION_REMOVED for row in difference.vanished}
    types |= {row.id: TRANSACTION_UPDATED for row in difference.changed}
    for n in difference.new:
        if staged.rows[n].account_id not in first_reads:
            types[UUID(staged.rows[n].id)] = TRANSACTION_CREATED
    return types


def _transactions(staged: Staged, difference: Difference, inherited: Mapping[int, VanishedRow]) -> list[BatchRow]:
    new = [(staged.rows[n].id, _created(staged.rows[n], inherited.get(n))) for n in difference.new]
    if not difference.changed and not difference.vanished:
        return new  # ids were given in the order of the rows
    changed = [(str(row.id), _updated(row, staged.rows[row.n])) for row in difference.changed]
    removed = [(str(row.id), _removed(row)) for row in difference.vanished]
    return sorted([*new, *changed, *removed], key=itemgetter(0))


def _created(row: StagedRow, replaced: VanishedRow | None) -> bytes:
    if replaced is None:
        return encode((TRANSACTION_CREATED, *row, "", "", ""))
    return encode((TRANSACTION_CREATED, *row, replaced.category_override, replaced.note, str(replaced.id)))


def _updated(ours: ChangedRow, theirs: StagedRow) -> bytes:
    return encode((TRANSACTION_UPDATED, *theirs._replace(id=str(ours.id)), *clients_words(ours)))


def _removed(row: VanishedRow) -> bytes:
    return transaction_bytes(TRANSACTION_REMOVED, row, status=TransactionStatus.REMOVED.value)


def _holdings(changes: HoldingChanges) -> list[BatchRow]:
    by_type = {
        HOLDING_CREATED: changes.created,
        HOLDING_UPDATED: changes.updated,
        HOLDING_REMOVED: changes.removed,
    }
    rows = [(str(row.id), holding_bytes(type_, row)) for type_, rows in by_type.items() for row in rows]
    return sorted(rows, key=itemgetter(0))
