"""Applies a difference to the transactions, one statement a set."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.accounts.enums import TransactionStatus
from apps.accounts.sync.diff import Difference, VanishedRow, posted_amount
from apps.accounts.sync.matching import Candidate, match
from apps.accounts.sync.staging import Staged

_INHERIT = """
    UPDATE accounts_staged s SET replaces_id = m.old_id, category_override = m.category_override, note = m.note
    FROM unnest(%(n)s::integer[], %(old)s::uuid[], %(categories)s::text[], %(notes)s::text[])
        AS m (n, old_id, category_override, note)
    WHERE s.n = m.n
"""
_INSERT = """
    INSERT INTO accounts_transaction (id, tenant_id, account_id, external_id, amount, currency, date, description,
        counterparty, provider_category, category_override, note, status, replaces_id, version, created_at, updated_at)
    SELECT s.id, %(tenant)s, s.account_id, s.external_id, s.amount, s.currency, s.date, s.description,
        s.counterparty, s.provider_category, s.category_override, s.note, s.status, s.replaces_id, 1, %(now)s, %(now)s
    FROM accounts_staged s {where}
"""
_UPDATE = """
    UPDATE accounts_transaction t
    SET amount = s.amount, currency = s.currency, date = s.date, description = s.description,
        counterparty = s.counterparty, provider_category = s.provider_category, status = s.status,
        version = t.version + 1, updated_at = %(now)s
    FROM unnest(%(n)s::integer[], %(id)s::uuid[]) AS c (n, id)
    JOIN accounts_staged s ON s.n = c.n
    WHERE t.tenant_id = %(tenant)s AND t.id = c.id
"""
_REMOVE = """
    UPDATE accounts_transaction SET status = 'removed', version = version + 1, updated_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = ANY(%(id)s)
"""


def apply(
    cursor: Any, staged: Staged, difference: Difference, *, tenant_id: UUID, now: datetime
) -> Mapping[int, VanishedRow]:
    """Insert, update and remove; return {index of a new row: the vanished row whose place and words it took}."""
    common = {"tenant": tenant_id, "now": now}
    replaced = _match(staged, difference)
    if replaced:
        old = list(replaced.values())
        words = {"categories": [row.category_override for row in old], "notes": [row.note for row in old]}
        cursor.execute(_INHERIT, {"n": list(replaced), "old": [row.id for row in old], **words})
    if difference.new:
        is_everything = len(difference.new) == len(staged.rows)
        where = "" if is_everything else "WHERE s.n = ANY(%(n)s)"
        cursor.execute(_INSERT.format(where=where), {**common, "n": None if is_everything else list(difference.new)})
    if difference.changed:
        n, ids = [row.n for row in difference.changed], [row.id for row in difference.changed]
        cursor.execute(_UPDATE, {**common, "n": n, "id": ids})
    if difference.vanished:
        cursor.execute(_REMOVE, {**common, "id": [row.id for row in difference.vanished]})
    return replaced


def posted_changes(staged: Staged, difference: Difference) -> dict[UUID, Decimal]:
    """Return by how much the sum of posted transactions changes, by account."""
    changes: dict[str, Decimal] = {}

    def add(account_id: str, amount: Decimal) -> None:
        changes[account_id] = changes.get(account_id, Decimal(0)) + amount

    for n in difference.new:
        source = staged.sources[n]
        add(staged.rows[n].account_id, posted_amount(source.status, source.amount))
    for row in difference.changed:
        source = staged.sources[row.n]
        before = posted_amount(row.status, row.amount)
        add(staged.rows[row.n].account_id, posted_amount(source.status, source.amount) - before)
    for gone in difference.vanished:
        add(str(gone.account_id), -posted_amount(gone.status, gone.amount))
    return {UUID(account_id): amount for account_id, amount in changes.items()}


def _match(staged: Staged, difference: Difference) -> dict[int, VanishedRow]:
    """Return {index of a new posted row: the vanished pending row that it replaces, with the words it hands over}."""
    pending = [row for row in difference.vanished if row.status == TransactionStatus.PENDING]
    if not pending:
        return {}
    posted = [n for n in difference.new if staged.rows[n].status == TransactionStatus.POSTED]
    replaced = _named_by_provider(staged, pending, posted)
    taken = {row.id for row in replaced.values()}
    guessed = match(
        (_old(index, row) for index, row in enumerate(pending) if row.id not in taken),
        (_new(staged, n) for n in posted if n not in replaced),
    )
    for n, (index, is_certain) in guessed.items():
        replaced[n] = pending[index] if is_certain else pending[index]._replace(category_override="", note="")
    return replaced


def _named_by_provider(staged: Staged, pending: Sequence[VanishedRow], posted: Sequence[int]) -> dict[int, VanishedRow]:
    by_external = {(str(row.account_id), row.external_id): row for row in pending}
    named: dict[int, VanishedRow] = {}
    for n in posted:
        replaces = staged.sources[n].replaces
        row = by_external.pop((staged.rows[n].account_id, replaces), None) if replaces else None
        if row is not None:
            named[n] = row
    return named


def _old(index: int, row: VanishedRow) -> Candidate:
    return Candidate(
        index=index,
        external_id=row.external_id,
        account=str(row.account_id),
        amount=row.amount,
        date=row.date,
        description=row.description,
        counterparty=row.counterparty,
        words=(row.category_override, row.note),
    )


def _new(staged: Staged, n: int) -> Candidate:
    source, row = staged.sources[n], staged.rows[n]
    return Candidate(
        index=n,
        external_id=row.external_id,
        account=row.account_id,
        amount=source.amount,
        date=source.date,
        description=source.description,
        counterparty=source.counterparty,
    )
