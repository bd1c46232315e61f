"""Accounts, transactions and holdings against what the audit log says last of each.

What is not hashed is not proved here: versions and times, and the prices of holdings.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.accounts import events
from apps.accounts.enums import TransactionStatus
from apps.accounts.models import Account, Holding, Transaction
from apps.accounts.rows import account_bytes, holding_bytes, transaction_bytes
from apps.audit.commitments import Commitment, Commitments
from apps.audit.merkle import leaf_hash
from apps.audit.models import AuditEntry
from apps.core.scope import snapshot_scope
from apps.core.verification import BATCH_ROWS, Finding, Seen, Subject, Text

# As many rows of a table are held to the log at once: their commitments take about 250 bytes each.
RANGE_ROWS = 100_000
_NAMED = 20
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_ACTIONS = (events.ACCOUNTS_SYNCED, events.ACCOUNT_UPDATED, events.TRANSACTION_UPDATED)
_REMEDY = _(
    "It was changed past the platform. Compare it with the provider and with a backup: the entry's proof of the row "
    "(docs/audit.md) tells which copy is the true one."
)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table whose rows are hashed: the columns that are, and a row's bytes, in each form that it may have."""

    name: str
    model: Any
    columns: tuple[str, ...]
    forms: Callable[[Any], Sequence[bytes]]

    def rows(self, tenant_id: UUID, **condition: Any) -> Sequence[Any]:
        """Return the first rows that meet a condition, by id, in the open snapshot."""
        found = self.model.objects.filter(tenant_id=tenant_id, **condition).order_by("id")
        return list(found.values_list("id", *self.columns, named=True)[:BATCH_ROWS])


def _account_forms(row: Any) -> Sequence[bytes]:
    return [account_bytes(events.ACCOUNT_CREATED if row.version == 1 else events.ACCOUNT_UPDATED, row)]


def _transaction_forms(row: Any) -> Sequence[bytes]:
    type_ = events.TRANSACTION_CREATED if row.version == 1 else events.TRANSACTION_UPDATED
    type_ = events.TRANSACTION_REMOVED if row.status == TransactionStatus.REMOVED else type_
    return [transaction_bytes(type_, row, status=row.status)]


def _holding_forms(row: Any) -> Sequence[bytes]:
    return [holding_bytes(type_, row) for type_ in (events.HOLDING_CREATED, events.HOLDING_UPDATED)]


_ACCOUNTS = _Table(
    "accounts_account",
    Account,
    (
        *("version", "connection_id", "external_id", "name", "kind", "subtype", "mode", "currency", "last_four"),
        *("institution", "status", "provider_balance", "provider_available", "opening_balance", "posted_total"),
    ),
    _account_forms,
)
_TRANSACTIONS = _Table(
    "accounts_transaction",
    Transaction,
    (
        *("version", "account_id", "external_id", "amount", "currency", "date", "description", "counterparty"),
        *("provider_category", "status", "category_override", "note", "replaces_id"),
    ),
    _transaction_forms,
)
_HOLDINGS = _Table(
    "accounts_holding",
    Holding,
    ("account_id", "external_id", "symbol", "quantity", "average_price", "cost_basis"),
    _holding_forms,
)
_TABLES = (_ACCOUNTS, _TRANSACTIONS, _HOLDINGS)


@dataclass(slots=True)
class _Removals:
    """How many holdings an entry says that it has removed; and which are gone that it was the last to tell of."""

    told: int
    gone: list[UUID] = field(default_factory=list)


_RemovalsByEntry = dict[UUID, _Removals]


def walk_rows(subject: Subject) -> Iterator[Seen | Finding]:
    """Hold every row to the last commitment to it, range by range of ids."""
    after, removals = _FIRST, _RemovalsByEntry()
    while after < _LAST:
        with snapshot_scope():
            until = _end_of_range(subject.tenant, after)
        said = Commitments(subject.tenant, _ACTIONS, after=after, until=until)
        is_more = True
        while is_more:
            with snapshot_scope():
                is_more = said.read_on()
            yield Seen(0)
        for table in _TABLES:
            yield from _walk_table(subject.tenant, table, said, after, until)
        yield from _walk_unseen(subject.tenant, said, removals)
        after = until
    yield from _judge_removals(removals)


def _end_of_range(tenant_id: UUID, after: UUID) -> UUID:
    ends = [_LAST]
    for table in _TABLES:
        rows = table.model.objects.filter(tenant_id=tenant_id, id__gt=after).order_by("id")
        ends += rows.values_list("id", flat=True)[RANGE_ROWS - 1 : RANGE_ROWS]
    return min(ends)


def _walk_table(
    tenant_id: UUID, table: _Table, said: Commitments, after: UUID, until: UUID
) -> Iterator[Seen | Finding]:
    """Judge the rows of a range; those of a snapshot are judged by the commitments that the same snapshot shows."""
    is_more = True
    while is_more:
        with snapshot_scope():
            said.catch_up()
            rows = table.rows(tenant_id, id__gt=after, id__lte=until)
        yield Seen(len(rows))
        for row in rows:
            yield from _judge(table, row, said.of_row.pop(row.id.bytes, None))
        is_more = len(rows) == BATCH_ROWS
        after = rows[-1].id if rows else until


def _judge(table: _Table, row: Any, said: Commitment | None) -> Iterator[Finding]:
    if said is None:
        problem = _("A row is there that no audit entry tells of.")
        yield _finding(table, row.id, problem, "an entry that commits to it", "none")
        return
    hashes = [leaf_hash(form) for form in table.forms(row)]
    if said.row_hash not in hashes:
        problem = _("A row is not what the last audit entry about it commits to.")
        expected = f"row hash {said.row_hash.hex()}, of entry {said.entry_id}"
        yield _finding(table, row.id, problem, expected, f"row hash {hashes[0].hex()}")


def _walk_unseen(tenant_id: UUID, said: Commitments, removals: _RemovalsByEntry) -> Iterator[Seen | Finding]:
    """Judge what is left of a range's commitments: rows that came or changed meanwhile, and rows that are gone."""
    unseen = list(said.of_row)  # whatever is written from now on is the next run's: or this one might never end
    for first in range(0, len(unseen), BATCH_ROWS):
        with snapshot_scope():
            said.catch_up()
            left = {UUID(bytes=row_id): said.of_row.pop(row_id) for row_id in unseen[first : first + BATCH_ROWS]}
            there = [(table, row) for table in _TABLES for row in table.rows(tenant_id, id__in=list(left))]
            entries = AuditEntry.objects.in_bulk({commitment.entry_id for commitment in left.values()})
        for table, row in there:
            yield from _judge(table, row, left.pop(row.id))
        for row_id, commitment in left.items():
            entry = entries[commitment.entry_id]
            if (table := _table_of(entry, commitment.behind)) is _HOLDINGS:
                told = entry.changes.get("holdings_removed", [None, 0])[1]
                removals.setdefault(entry.id, _Removals(told)).gone.append(row_id)
            else:
                yield _gone(table, row_id, entry.id)


def _table_of(entry: AuditEntry, behind: int) -> _Table:
    """Return whose row an entry has behind so many others: a sync's accounts come first, then its transactions."""
    if entry.action != events.ACCOUNTS_SYNCED:
        return _ACCOUNTS if entry.action == events.ACCOUNT_UPDATED else _TRANSACTIONS
    accounts = sum(entry.changes[what][1] for what in ("accounts_added", "accounts_modified"))
    transactions = sum(entry.changes[what][1] for what in ("added", "modified", "removed"))
    if behind < accounts:
        return _ACCOUNTS
    return _TRANSACTIONS if behind < accounts + transactions else _HOLDINGS


def _judge_removals(removals: _RemovalsByEntry) -> Iterator[Finding]:
    """Find the holdings that no sync has removed: where one has removed others as well, they cannot be told apart."""
    for entry_id, removal in sorted(removals.items()):
        if removal.told == 0:
            for row_id in removal.gone:
                yield _gone(_HOLDINGS, row_id, entry_id)
        elif len(removal.gone) > removal.told:
            problem = _("More holdings are gone than a sync has removed.")
            found = f"gone: {', '.join(map(str, sorted(removal.gone)[:_NAMED]))}"
            yield Finding("audit_entry", str(entry_id), problem, f"{removal.told} of these removed", found, _REMEDY)


def _gone(table: _Table, row_id: UUID, entry_id: UUID) -> Finding:
    problem = _("A row is gone that the audit log tells of.")
    return _finding(table, row_id, problem, f"the row that entry {entry_id} commits to", "no row")


def _finding(table: _Table, row_id: UUID, problem: Text, expected: str, found: str) -> Finding:
    return Finding(table.name, str(row_id), problem, expected, found, _REMEDY)
