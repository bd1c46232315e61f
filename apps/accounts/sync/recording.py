"""Leaves the records of an applied sync: one audit leaf over all its rows, and the events of single rows."""

from collections.abc import Sequence, Set
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec

from apps.accounts.enums import TransactionStatus
from apps.accounts.events import (
    TRANSACTION_CREATED,
    TRANSACTION_REMOVED,
    TRANSACTION_UPDATED,
    TRANSACTIONS_SYNCED,
    transaction_event,
)
from apps.accounts.models import Transaction
from apps.accounts.sync.diff import Difference, VanishedRow
from apps.accounts.sync.staging import Staged, StagedRow
from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.money import plain
from apps.outbox import services as outbox

_encode = msgspec.json.Encoder().encode


def batch_rows(staged: Staged, difference: Difference) -> list[bytes]:
    """Return the canonical bytes of every row written, ordered by row id.

    A row is the JSON array [change, id, account_id, external_id, amount, currency, date, description, counterparty,
    provider_category, status] without white space, all strings.
    """
    new = [(staged.rows[n].id, _encode(("created", *staged.rows[n]))) for n in difference.new]
    if not difference.changed and not difference.vanished:
        return [row for _id, row in new]  # ids were given in the order of the rows
    changed = [_updated(str(row.id), staged.rows[row.n]) for row in difference.changed]
    removed = [(str(row.id), _encode(_removed(row))) for row in difference.vanished]
    return [row for _id, row in sorted([*new, *changed, *removed], key=itemgetter(0))]


def record(
    staged: Staged,
    difference: Difference,
    *,
    rows: Sequence[bytes],
    first_reads: Set[UUID],
    run_id: UUID,
    actor: Actor,
    now: datetime,
) -> None:
    """Write the batch's leaf and the events of its rows; nothing at all when no row was written.

    The rows of a first read have no events of their own: `connection.synced` stands for them.
    """
    if not rows:
        return
    summary = {
        "added": [None, len(difference.new)],
        "modified": [None, len(difference.changed)],
        "removed": [None, len(difference.vanished)],
    }
    audit.record_batch(
        action=TRANSACTIONS_SYNCED,
        actor=actor,
        target_type="sync_run",
        target_id=run_id,
        now=now,
        rows=rows,
        summary=summary,
    )
    types = _event_types(staged, difference, {str(account_id) for account_id in first_reads})
    written = Transaction.objects.in_bulk(list(types))
    events = [transaction_event(type_, written[row_id]) for row_id, type_ in types.items()]
    outbox.emit_many(events, actor=actor, now=now)


def _event_types(staged: Staged, difference: Difference, first_reads: Set[str]) -> dict[UUID, str]:
    """Return {row id: event type}: what vanished before what came, as a statement reads."""
    types = {row.id: TRANSACTION_REMOVED for row in difference.vanished}
    types |= {row.id: TRANSACTION_UPDATED for row in difference.changed}
    for n in difference.new:
        if staged.rows[n].account_id not in first_reads:
            types[UUID(staged.rows[n].id)] = TRANSACTION_CREATED
    return types


def _updated(row_id: str, row: StagedRow) -> tuple[str, bytes]:
    return row_id, _encode(("updated", *row._replace(id=row_id)))


def _removed(row: VanishedRow) -> tuple[Any, ...]:
    return (
        "removed",
        str(row.id),
        str(row.account_id),
        row.external_id,
        plain(row.amount),
        row.currency,
        row.date.isoformat(),
        row.description,
        row.counterparty,
        row.provider_category,
        TransactionStatus.REMOVED.value,
    )
